/** x / sqrt(mean(x^2) + epsilon) * weight, row by row. */

const { sqrt } = Math; // looking up a global costs much under jest
export function rmsNorm(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  epsilon: number,
): Float64Array {
  const width = weight.length;
  const out = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += width) {
    let squares = 0;
    for (let i = 0; i < width; i++) squares += x[row + i]! ** 2;
    const scale = 1 / sqrt(squares / width + epsilon);
    for (let i = 0; i < width; i++) out[row + i] = x[row + i]! * scale * weight[i]!;
  }
  return out;
}
