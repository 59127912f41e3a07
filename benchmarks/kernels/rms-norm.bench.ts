/** RMS norm of rows. */
import { rowPoints } from './point.js';
import type { KernelPoint } from './point.js';

const WIDTH = 2048;
const OPERATIONS = 5;

export function rmsNormPoints(): KernelPoint[] {
  return rowPoints('rms_norm', WIDTH, OPERATIONS, (timing, path, threads, rows) =>
    timing.timeRmsNorm(path, threads, rows, WIDTH),
  );
}
