/** Attention over keys that are read side by side: each blend has a temperature, and its share is scaled (APE, arXiv 2502.05431). */

const { exp, log, max } = Math;

/** How the keys of one blend are read; keys of the same object are one blend. */
export interface ReferenceReading {
  temperature: number;
  scale: number;
}

/** The weight of each key, together 1. `scores`: natural logarithms, q k / sqrt(D). */
export function blendedWeights(
  scores: ArrayLike<number>,
  readings: readonly (ReferenceReading | undefined)[],
): Float64Array {
  const blends = [...new Set(readings)].map((reading) => {
    const { temperature, scale } = reading ?? { temperature: 1, scale: 1 };
    const keys = [...readings.keys()].filter((i) => readings[i] === reading);
    const own = keys.map((i) => scores[i]! / temperature);
    const largest = max(...own);
    const lse = largest + log(own.reduce((sum, score) => sum + exp(score - largest), 0));
    return { keys, own, lse, share: scale * temperature * lse };
  });
  const largest = max(...blends.map(({ share }) => share));
  const total = blends.reduce((sum, { share }) => sum + exp(share - largest), 0);
  const weights = new Float64Array(scores.length);
  for (const { keys, own, lse, share } of blends)
    keys.forEach((key, i) => {
      weights[key] = (exp(own[i]! - lse) * exp(share - largest)) / total;
    });
  return weights;
}
