/** Copies of 31 tokens of all layers: what a fork inside a block costs, and a tree of guesses with 16 or 64 branches. A copy reads and writes whole slabs. */
import type { KernelPoint } from './point.js';
import { storedKvPoints } from './stored-kv.js';

const TOKENS = 31; // of a copy

export function kvCopyPoints(): KernelPoint[] {
  return storedKvPoints({
    op: 'kv_copy',
    rows: [TOKENS, 16 * TOKENS, 64 * TOKENS],
    moved: (32 + 32) / TOKENS,
    time: (timing, path, threads, model, rows) =>
      timing.timeKvCopy(path, threads, { ...model, copies: rows / TOKENS }),
  });
}
