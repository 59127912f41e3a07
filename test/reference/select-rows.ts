/** Rows of x [rows, width], in the order of `rows`. */
export function selectRows(x: ArrayLike<number>, rows: ArrayLike<number>, width: number): number[] {
  const all = Array.from(x);
  return Array.from(rows).flatMap((row) => all.slice(row * width, (row + 1) * width));
}
