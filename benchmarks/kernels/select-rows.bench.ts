/** Rows of the last layer whose logits are wanted. What it moves is counted as one operation for each number. */
import { ROWS } from './point.js';
import type { KernelPoint } from './point.js';

const WIDTH = 2048;

export function selectRowsPoints(): KernelPoint[] {
  return ROWS.map((rows) => ({
    op: 'select_rows',
    kind: 'f32',
    shape: String(WIDTH),
    rows,
    bytes: 0,
    operations: rows * WIDTH,
    unit: 'f32',
    time: (timing, path, threads) => timing.timeSelectRows(path, threads, rows, WIDTH),
  }));
}
