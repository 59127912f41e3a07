/** Queries as they are kept: each head of a row, rotated at the row's position. */
import { rotate } from './attention.js';
import type { Rope } from './rope.js';

export function keepQueries(
  row: ArrayLike<number>,
  position: number,
  how: { headDim: number; rope: number | Rope; interleaved: boolean },
): number[] {
  const all = Array.from(row);
  return Array.from({ length: all.length / how.headDim }, (_, head) => {
    const q = all.slice(head * how.headDim, (head + 1) * how.headDim);
    return [...rotate(q, position, how.rope, how.interleaved)];
  }).flat();
}
