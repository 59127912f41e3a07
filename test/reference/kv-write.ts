/** Keys and values as a block keeps them: keys rotated at their positions, both rounded to the block's format. */
import { rotate } from './attention.js';
import { roundBf16 } from './half.js';
import type { Rope } from './rope.js';

export interface Kept {
  key: Float64Array;
  value: Float64Array;
}

export function kvWrite(
  k: ArrayLike<number>,
  v: ArrayLike<number>,
  position: number,
  how: { rope: number | Rope; interleaved: boolean; format: 'f32' | 'bf16' },
): Kept {
  const round = how.format === 'bf16' ? roundBf16 : Math.fround;
  return {
    key: rotate(k, position, how.rope, how.interleaved).map(round),
    value: Float64Array.from(v, round),
  };
}
