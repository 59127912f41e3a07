/** One result out of several partial ones, in float64: out = sum_i 2^(max_i) out_i / sum_i 2^(max_i) sum_i; zeros if no key was read. */
export interface PartialState {
  out: ArrayLike<number>;
  max: number;
  sum: number;
}

export function attentionMerge(partials: readonly PartialState[], headDim: number): Float64Array {
  const largest = partials.reduce((most, { max }) => Math.max(most, max), -Infinity);
  const out = new Float64Array(headDim);
  if (largest === -Infinity) return out;
  let total = 0;
  for (const partial of partials) {
    const scale = 2 ** (partial.max - largest);
    total += scale * partial.sum;
    for (let i = 0; i < headDim; i++) out[i]! += scale * partial.out[i]!;
  }
  return out.map((value) => value / total);
}
