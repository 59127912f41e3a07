/** What is known of the keys of one KV head in float64: how much they are read, how long they are, which are alike. */
import { weights } from './attention.js';

const { sqrt } = Math; // looking up a global costs much under jest

export interface SignalKey {
  key: ArrayLike<number>;
  /** Of its token. */
  index: number;
  /** log2 of how many keys it stands for; -Infinity: of none. */
  log2: number;
}

/** Those of the query heads that read the KV head. */
export interface SignalRow {
  queries: readonly ArrayLike<number>[];
  /** Of its token. A row reads the keys up to it. */
  index: number;
}

/** The probabilities with which rows read each key: their sum over the rows, the mean of the query heads. */
export function attentionSums(
  keys: readonly SignalKey[],
  rows: readonly SignalRow[],
  window: number,
): Float64Array {
  const sums = new Float64Array(keys.length);
  for (const { queries, index } of rows) {
    const first = window === 0 ? -Infinity : index - window + 1;
    const read = [...keys.keys()].filter((i) => {
      const key = keys[i]!;
      return key.index <= index && key.index >= first && key.log2 > -Infinity;
    });
    const [vectors, log2] = [read.map((i) => keys[i]!.key), read.map((i) => keys[i]!.log2)];
    for (const q of queries) {
      const each = weights(q, vectors, log2);
      read.forEach((i, n) => (sums[i]! += each[n]! / queries.length));
    }
  }
  return sums;
}

/** By how many rows each key is read less than if they read all keys alike that they may read. */
export function seldomCounts(
  keys: readonly SignalKey[],
  rows: readonly SignalRow[],
  window: number,
): number[] {
  const counts = keys.map(() => 0);
  for (const row of rows) {
    const first = window === 0 ? -Infinity : row.index - window + 1;
    const isRead = ({ index }: SignalKey) => index <= row.index && index >= first;
    const equal = 1 / keys.filter(isRead).length;
    const shares = attentionSums(keys, [row], window);
    keys.forEach((key, i) => (counts[i]! += isRead(key) && shares[i]! < equal ? 1 : 0));
  }
  return counts;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += a[d]! * b[d]!;
  return sum;
}

export const norm = (key: ArrayLike<number>): number => sqrt(dot(key, key));

/** The cosine of the angle between two keys; 0 if one of them has no length. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const lengths = norm(a) * norm(b);
  return lengths === 0 ? 0 : dot(a, b) / lengths;
}

export interface MatchShape {
  /** Keys before it, and the last so many, are not matched. */
  first: number;
  last: number;
  /** The others are cut into chunks of so many keys, and the last one may be shorter. */
  chunk: number;
  /** The last of every so many keys of a chunk is a centre. */
  stride: number;
}

/** Of each key: how alike the centres of its chunk are, by their number. A key that is not matched, or is a centre, has none. */
export function likeCentres(
  keys: readonly ArrayLike<number>[],
  { first, last, chunk, stride }: MatchShape,
): Map<number, number>[] {
  const end = keys.length - last;
  return keys.map((key, i) => {
    if (i < first || i >= end) return new Map<number, number>();
    const begin = i - ((i - first) % chunk);
    const centres: number[] = [];
    for (let at = begin; at < begin + chunk && at < end; at++)
      if ((at - begin + 1) % stride === 0) centres.push(at);
    if (centres.includes(i)) return new Map<number, number>();
    return new Map(centres.map((centre) => [centre, cosine(key, keys[centre]!)]));
  });
}
