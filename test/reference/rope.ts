/** Frequencies of rotary positions in float64, plain and stretched: after the papers and Llama 3.1's own code. */

const { PI, ceil, floor, log, max, min } = Math; // looking up a global costs much under jest

export interface RopeShape {
  base: number;
  /** Stretches positions; the model was trained for `original` tokens. */
  scaling?:
    | { type: 'linear' | 'llama3' | 'yarn'; factor: number; original: number }
    | { type: 'table'; divisors: readonly number[]; magnitude: number };
}

export interface Rope {
  /** Angle per position of each pair. */
  frequencies: number[];
  /** Of every cosine and sine. */
  magnitude: number;
}

const LLAMA3 = { low: 1, high: 4 };
const YARN = { fast: 32, slow: 1 };

export function ropeOf({ base, scaling }: RopeShape, dims: number): Rope {
  const plain = Array.from({ length: dims / 2 }, (_, i) => base ** ((-2 * i) / dims));
  if (!scaling) return { frequencies: plain, magnitude: 1 };
  if (scaling.type === 'table') {
    const { divisors, magnitude } = scaling;
    return { frequencies: plain.map((frequency, i) => frequency / divisors[i]!), magnitude };
  }
  const { type, factor, original } = scaling;
  if (type === 'linear')
    return { frequencies: plain.map((frequency) => frequency / factor), magnitude: 1 };
  if (type === 'llama3') {
    const frequencies = plain.map((frequency) => {
      const wavelength = (2 * PI) / frequency;
      if (wavelength < original / LLAMA3.high) return frequency;
      if (wavelength > original / LLAMA3.low) return frequency / factor;
      const smooth = (original / wavelength - LLAMA3.low) / (LLAMA3.high - LLAMA3.low);
      return ((1 - smooth) * frequency) / factor + smooth * frequency;
    });
    return { frequencies, magnitude: 1 };
  }
  // YaRN: pairs that turn more than `fast` times in the trained context are kept, fewer than `slow` stretched.
  const pairOf = (turns: number) => (dims * log(original / (turns * 2 * PI))) / (2 * log(base));
  const low = max(floor(pairOf(YARN.fast)), 0);
  const high = min(ceil(pairOf(YARN.slow)), dims - 1);
  const frequencies = plain.map((frequency, i) => {
    const ramp = min(1, max(0, (i - low) / max(high - low, 0.001)));
    return (frequency / factor) * ramp + frequency * (1 - ramp);
  });
  return { frequencies, magnitude: 0.1 * log(factor) + 1 };
}
