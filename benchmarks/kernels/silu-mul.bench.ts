/** silu(gate) * up. */
import { rowPoints } from './point.js';
import type { KernelPoint } from './point.js';

const WIDTH = 8192;
const OPERATIONS = 16; // an exponential is a polynomial of degree five and its scaling

export function siluMulPoints(): KernelPoint[] {
  return rowPoints('silu_mul', WIDTH, OPERATIONS, (timing, path, threads, rows) =>
    timing.timeSiluMul(path, threads, rows, WIDTH),
  );
}
