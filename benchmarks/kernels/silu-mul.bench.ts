/** silu(gate) * up of rows that lie in the caches, so that its bound is the arithmetic alone. */
import { ROWS } from './point.js';
import type { KernelPoint } from './point.js';

const WIDTH = 8192;

export function siluMulPoints(): KernelPoint[] {
  return ROWS.map((rows) => ({
    op: 'silu_mul',
    kind: 'f32',
    shape: String(WIDTH),
    rows,
    bytes: 0,
    operations: 16 * rows * WIDTH, // an exponential is a polynomial of degree five and its scaling
    unit: 'f32',
    time: (timing, path, threads) => timing.timeSiluMul(path, threads, rows, WIDTH),
  }));
}
