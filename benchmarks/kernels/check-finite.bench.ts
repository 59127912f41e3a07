/** Whether rows hold finite numbers only: an addition and a comparison for each. */
import { rowPoints } from './point.js';
import type { KernelPoint } from './point.js';

const WIDTH = 2048;
const OPERATIONS = 2;

export function checkFinitePoints(): KernelPoint[] {
  return rowPoints('check_finite', WIDTH, OPERATIONS, (timing, path, threads, rows) =>
    timing.timeCheckFinite(path, threads, rows, WIDTH),
  );
}
