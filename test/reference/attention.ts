/** Rotary positions and causal attention in float64, one row at a time. */
import { ropeOf } from './rope.js';
import type { Rope } from './rope.js';

/** cos and sin of every (position, pair): [positions, dims / 2]. */
export function ropeTable(
  positions: number,
  dims: number,
  base: number,
): { cosines: Float32Array; sines: Float32Array } {
  const half = dims / 2;
  const angle = (i: number) => Math.floor(i / half) * base ** ((-2 * (i % half)) / dims);
  return {
    cosines: Float32Array.from({ length: positions * half }, (_, i) => Math.cos(angle(i))),
    sines: Float32Array.from({ length: positions * half }, (_, i) => Math.sin(angle(i))),
  };
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
    const [cosine, sine] = [magnitude * Math.cos(angle), magnitude * Math.sin(angle)];
    const [a, b] = interleaved ? [2 * i, 2 * i + 1] : [i, i + half];
    out[a] = x[a]! * cosine - x[b]! * sine;
    out[b] = x[a]! * sine + x[b]! * cosine;
  }
  return out;
}

/** softmax(q K^T / sqrt(D)) V for one query; keys and values are one vector per token. */
export function attend(
  q: ArrayLike<number>,
  keys: ArrayLike<number>[],
  values: ArrayLike<number>[],
): Float64Array {
  const dim = q.length;
  const scores = keys.map((key) => {
    let dot = 0;
    for (let i = 0; i < dim; i++) dot += q[i]! * key[i]!;
    return dot / Math.sqrt(dim);
  });
  const max = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - max));
  const total = weights.reduce((a, b) => a + b, 0);
  const out = new Float64Array(dim);
  weights.forEach((weight, t) => {
    for (let i = 0; i < dim; i++) out[i]! += (weight / total) * values[t]![i]!;
  });
  return out;
}
