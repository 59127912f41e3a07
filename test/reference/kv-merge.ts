/** The weighted mean of keys, or of values: shares sum up to 1. */
export function kvMerge(
  from: readonly ArrayLike<number>[],
  shares: readonly number[],
): Float64Array {
  const mean = new Float64Array(from[0]!.length);
  from.forEach((vector, i) => {
    for (let d = 0; d < mean.length; d++) mean[d]! += shares[i]! * vector[d]!;
  });
  return mean;
}
