/** Attention of one layer: decoding reads every key and value once, a prompt computes half a square. */
import { CONTEXTS, ELEMENT_BYTES } from './contexts.js';
import type { KernelPoint } from './point.js';

export function attentionPoints(): KernelPoint[] {
  return CONTEXTS.map(({ shape, ...contexts }) => {
    const { heads, kvHeads, headDim, rows, context, sequences } = contexts;
    const pairs = sequences * (rows * (context - rows) + (rows * (rows + 1)) / 2); // of a query and a key
    return {
      op: 'attention',
      kind: 'bf16',
      shape,
      rows: rows * sequences,
      bytes: 2 * sequences * context * kvHeads * headDim * ELEMENT_BYTES,
      operations: 4 * pairs * heads * headDim,
      unit: 'bf16',
      time: (timing, path, threads) => timing.timeAttention(path, threads, contexts),
    };
  });
}
