/** Rows of the last layer whose logits are wanted. Moving a number counts as one operation. */
import { rowPoints } from './point.js';
import type { KernelPoint } from './point.js';

const WIDTH = 2048;
const OPERATIONS = 1;

export function selectRowsPoints(): KernelPoint[] {
  return rowPoints('select_rows', WIDTH, OPERATIONS, (timing, path, threads, rows) =>
    timing.timeSelectRows(path, threads, rows, WIDTH),
  );
}
