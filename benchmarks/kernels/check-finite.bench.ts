/** Whether rows hold finite numbers only: an addition and a comparison for each, in the caches. */
import { ROWS } from './point.js';
import type { KernelPoint } from './point.js';

const WIDTH = 2048;

export function checkFinitePoints(): KernelPoint[] {
  return ROWS.map((rows) => ({
    op: 'check_finite',
    kind: 'f32',
    shape: String(WIDTH),
    rows,
    bytes: 0,
    operations: 2 * rows * WIDTH,
    unit: 'f32',
    time: (timing, path, threads) => timing.timeCheckFinite(path, threads, rows, WIDTH),
  }));
}
