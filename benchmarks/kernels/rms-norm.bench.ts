/** RMS norm of rows that lie in the caches, so that its bound is the arithmetic alone. */
import { ROWS } from './point.js';
import type { KernelPoint } from './point.js';

const WIDTH = 2048;

export function rmsNormPoints(): KernelPoint[] {
  return ROWS.map((rows) => ({
    op: 'rms_norm',
    kind: 'f32',
    shape: String(WIDTH),
    rows,
    bytes: 0,
    operations: 5 * rows * WIDTH,
    unit: 'f32',
    time: (timing, path, threads) => timing.timeRmsNorm(path, threads, rows, WIDTH),
  }));
}
