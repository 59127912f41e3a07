/** 1 for each row of x + delta whose numbers are finite as floats, else 0. */
const { fround } = Math; // looking up a global costs much under jest

export function checkFinite(
  x: ArrayLike<number>,
  delta: ArrayLike<number>,
  width: number,
): number[] {
  return Array.from({ length: x.length / width }, (_, row) => {
    for (let i = row * width; i < (row + 1) * width; i++)
      if (!Number.isFinite(fround(x[i]! + delta[i]!))) return 0;
    return 1;
  });
}
