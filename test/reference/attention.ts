/** Rotary positions and causal attention in float64, one row at a time. */
import { ropeOf } from './rope.js';
import type { Rope } from './rope.js';

const { cos, exp, floor, LN2, max, sin, sqrt } = Math; // looking up a global costs much under jest

const tables = new Map<string, { cosines: Float32Array; sines: Float32Array }>();

/** cos and sin of every (position, pair): [positions, dims / 2]. Made once for each size. */
export function ropeTable(
  positions: number,
  dims: number,
  base: number,
): { cosines: Float32Array; sines: Float32Array } {
  const key = [positions, dims, base].join();
  const known = tables.get(key);
  if (known) return known;
  const half = dims / 2;
  const frequencies = Array.from({ length: half }, (_, pair) => base ** ((-2 * pair) / dims));
  const angle = (i: number) => floor(i / half) * frequencies[i % half]!;
  const table = {
    cosines: Float32Array.from({ length: positions * half }, (_, i) => cos(angle(i))),
    sines: Float32Array.from({ length: positions * half }, (_, i) => sin(angle(i))),
  };
  tables.set(key, table);
  return table;
}

export function rotate(
  x: ArrayLike<number>,
  position: number,
  rope: number | Rope,
  interleaved: boolean,
): Float64Array {
  const out = Float64Array.from(x);
  const half = x.length / 2;
  const { frequencies, magnitude } =
    typeof rope === 'number' ? ropeOf({ base: rope }, x.length) : rope;
  for (let i = 0; i < half; i++) {
    const angle = position * frequencies[i]!;
    const [cosine, sine] = [magnitude * cos(angle), magnitude * sin(angle)];
    const [a, b] = interleaved ? [2 * i, 2 * i + 1] : [i, i + half];
    out[a] = x[a]! * cosine - x[b]! * sine;
    out[b] = x[a]! * sine + x[b]! * cosine;
  }
  return out;
}

/** q k / sqrt(D) of each key, and the logarithm of how many keys it stands for. */
export function scoresOf(
  q: ArrayLike<number>,
  keys: readonly ArrayLike<number>[],
  log2?: readonly number[],
): Float64Array {
  const dim = q.length;
  const scores = new Float64Array(keys.length);
  for (let t = 0; t < keys.length; t++) {
    const key = keys[t]!;
    let dot = 0;
    for (let i = 0; i < dim; i++) dot += q[i]! * key[i]!;
    scores[t] = dot / sqrt(dim) + (log2 === undefined ? 0 : log2[t]! * LN2);
  }
  return scores;
}

/** A query's attention before its sum is taken: the weight of each key, together 1. `log2`: of how many keys each stands for. */
export function weights(
  q: ArrayLike<number>,
  keys: readonly ArrayLike<number>[],
  log2?: readonly number[],
): Float64Array {
  const scores = scoresOf(q, keys, log2);
  let largest = -Infinity;
  for (let t = 0; t < keys.length; t++) largest = max(largest, scores[t]!);
  let total = 0;
  for (let t = 0; t < keys.length; t++) total += scores[t] = exp(scores[t]! - largest);
  for (let t = 0; t < keys.length; t++) scores[t]! /= total;
  return scores;
}

/** softmax(q K^T / sqrt(D)) V for one query; keys and values are one vector per token. */
export function attend(
  q: ArrayLike<number>,
  keys: readonly ArrayLike<number>[],
  values: readonly ArrayLike<number>[],
): Float64Array {
  return weightedSum(weights(q, keys), values, q.length);
}

/** The sum of `values`, each times its weight: [dim]. */
export function weightedSum(
  each: ArrayLike<number>,
  values: readonly ArrayLike<number>[],
  dim: number,
): Float64Array {
  const out = new Float64Array(dim);
  for (let t = 0; t < values.length; t++) {
    const [weight, value] = [each[t]!, values[t]!];
    for (let i = 0; i < dim; i++) out[i]! += weight * value[i]!;
  }
  return out;
}
