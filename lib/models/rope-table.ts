/**
 * A table of rotary frequencies for longer contexts, from the distribution of rotary angles (Wu et al. 2024, arXiv 2410.01490). A pair of dimensions
 * has turned by some angle at each position. A model has seen these angles as often as its training length makes them. In longer contexts other
 * angles appear, or the same ones in other shares: the pair is disturbed. For each pair that frequency is taken, divided by the factor or not, whose angles
 * over the longer context are distributed most like those of training.
 */

export interface RopeTable {
  /** By which contexts grow. */
  factor: number;
  trainedLength: number;
  /** What each pair's frequency is divided by: the factor, or 1. Engines take it as `rope.table`. */
  table: number[];
  /** How much each pair is disturbed with and without division (Kullback-Leibler divergence, nats). */
  disturbances: { divided: number; kept: number }[];
}

/** How many intervals a turn is cut into. */
const INTERVALS = 360;
/** The share of an interval that no angle of training is in. */
const NEVER = 1e-6;

/** `base` and `dims`: of the model's rotary positions. */
export function ropeTable({
  base,
  dims,
  trainedLength,
  factor,
}: {
  base: number;
  dims: number;
  trainedLength: number;
  factor: number;
}): RopeTable {
  const longer = Math.round(trainedLength * factor);
  const disturbances = Array.from({ length: dims / 2 }, (_, pair) => {
    const frequency = base ** ((-2 * pair) / dims);
    const trained = shares(frequency, trainedLength);
    return {
      divided: divergence(shares(frequency / factor, longer), trained),
      kept: divergence(shares(frequency, longer), trained),
    };
  });
  const table = disturbances.map(({ divided, kept }) => (divided < kept ? factor : 1));
  return { factor, trainedLength, table, disturbances };
}

/** The share of positions at which a pair stands in each interval of the turn. */
function shares(frequency: number, length: number): Float64Array {
  const counts = new Float64Array(INTERVALS);
  const turn = 2 * Math.PI;
  for (let position = 0; position < length; position++) {
    const angle = (position * frequency) % turn;
    counts[Math.min(INTERVALS - 1, Math.floor((angle / turn) * INTERVALS))]! += 1 / length;
  }
  return counts;
}

function divergence(now: Float64Array, trained: Float64Array): number {
  return now.reduce(
    (sum, share, i) => (share === 0 ? sum : sum + share * Math.log(share / (trained[i]! + NEVER))),
    0,
  );
}
