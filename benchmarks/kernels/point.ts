/** One thing that is timed, with what the machine must do for it at least. */
import type { MachinePeaks } from '#lib/native.js';

import type { TimingBinding } from '../../test/testing.js';

export interface KernelPoint {
  op: string;
  /** Weight type, or how it is done. */
  kind: string;
  shape: string;
  rows: number;
  /** That come from memory; 0 where they lie in the caches. */
  bytes: number;
  operations: number;
  /** At which rate operations are done at most. */
  unit: 'int8' | 'bf16' | 'f32';
  time(timing: TimingBinding, path: string, threads: number): number;
}

/** The roofline (Williams et al. 2009): seconds that reading or the arithmetic takes, whichever is longer. */
export function boundOf(
  { bytes, operations, unit }: KernelPoint,
  peaks: MachinePeaks,
): { us: number; by: 'memory' | 'arithmetic' } {
  const reading = bytes / peaks.readBytesPerSecond;
  const arithmetic = operations / (peaks[unit] || peaks.f32);
  return {
    us: 1e6 * Math.max(reading, arithmetic),
    by: reading > arithmetic ? 'memory' : 'arithmetic',
  };
}

export const ROWS = [1, 4, 16, 64, 512];

/** An op over rows of f32 numbers that lie in the caches, so that its bound is the arithmetic alone. */
export function rowPoints(
  op: string,
  width: number,
  operationsPerNumber: number,
  time: (timing: TimingBinding, path: string, threads: number, rows: number) => number,
): KernelPoint[] {
  return ROWS.map((rows) => ({
    op,
    kind: 'f32',
    shape: String(width),
    rows,
    bytes: 0,
    operations: operationsPerNumber * rows * width,
    unit: 'f32',
    time: (timing, path, threads) => time(timing, path, threads, rows),
  }));
}
