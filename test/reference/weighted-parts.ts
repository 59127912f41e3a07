/**
 * Attention over parts whose keys differ between heads, in float64, from its definition. A key counts 2^(s + w): s is its score in
 * base 2 over the part's temperature, w its log-weight. Keys of a blend count together 2^(f lse) instead of 2^lse, where f is the
 * blend's factor and lse the log of the sum of what they count (APE, Yang et al. 2025).
 */
import { rotate } from './attention.js';

/** A key that a row reads, where its context has it. */
export interface WeightedKey {
  key: Float64Array; // rotated
  value: ArrayLike<number>;
  weight: number;
  temperature: number;
  /** The row's query is rotated as if it stood no further. */
  lastPosition: number;
  /** -1: none. */
  blend: number;
  lseFactor: number;
}

export interface Query {
  q: ArrayLike<number>; // not rotated
  position: number;
  base: number;
  interleaved: boolean;
}

/** The share of each key in the result, together 1; all 0 if none counts. `round`: of rotated queries. */
export function sharesOf(
  { q, position, base, interleaved }: Query,
  keys: readonly WeightedKey[],
  round: (x: number) => number,
): Float64Array {
  const rotated = new Map<number, Float64Array>();
  const queryAt = (at: number) => {
    const known = rotated.get(at) ?? rotate(q, at, base, interleaved).map(round);
    rotated.set(at, known);
    return known;
  };
  const counts = keys.map(({ key, weight, temperature, lastPosition }) => {
    const query = queryAt(Math.min(position, lastPosition));
    const dot = query.reduce((sum, x, i) => sum + x * key[i]!, 0);
    return (dot * Math.LOG2E) / Math.sqrt(q.length) / temperature + weight;
  });
  const lse = (of: readonly number[]) => {
    const most = Math.max(...of);
    return most === -Infinity
      ? most
      : most + Math.log2(of.reduce((sum, x) => sum + 2 ** (x - most), 0));
  };
  // What a blend's keys count more, or less, than their sum says.
  const added = new Map<number, number>();
  for (const blend of new Set(keys.map((key) => key.blend))) {
    const sum = lse(counts.filter((_, i) => keys[i]!.blend === blend));
    const { lseFactor } = keys.find((key) => key.blend === blend)!;
    added.set(blend, blend < 0 || sum === -Infinity ? 0 : (lseFactor - 1) * sum);
  }
  const blended = counts.map((count, i) => count + added.get(keys[i]!.blend)!);
  const total = lse(blended);
  return Float64Array.from(blended, (count) => (total === -Infinity ? 0 : 2 ** (count - total)));
}
