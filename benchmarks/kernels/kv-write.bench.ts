/** Writing the keys and values of one layer's rows: read as f32, rotated, written in the format of the blocks. */
import { CONTEXTS, ELEMENT_BYTES } from './contexts.js';
import type { KernelPoint } from './point.js';

export function kvWritePoints(): KernelPoint[] {
  return CONTEXTS.map(({ shape, ...contexts }) => {
    const { kvHeads, headDim, rows, sequences } = contexts;
    const numbers = rows * sequences * kvHeads * headDim;
    return {
      op: 'kv_write',
      kind: 'bf16',
      shape,
      rows: rows * sequences,
      bytes: 2 * numbers * (ELEMENT_BYTES + 4),
      operations: 3 * numbers,
      unit: 'f32',
      time: (timing, path, threads) => timing.timeKvWrite(path, threads, contexts),
    };
  });
}
