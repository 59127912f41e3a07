/** Attention and writing K and V, one layer: decoding reads every key and value once, a prompt computes half a square. */
import { SHAPES } from '../models/shapes.js';
import type { KernelPoint } from './point.js';

const MODELS = ['smollm2-135m', 'llama-3.2-1b'];
const CASES = [
  { rows: 1, context: 128, sequences: 1 },
  { rows: 1, context: 2048, sequences: 1 },
  { rows: 1, context: 512, sequences: 16 },
  { rows: 1, context: 512, sequences: 64 },
  { rows: 512, context: 512, sequences: 1 },
  { rows: 512, context: 2048, sequences: 1 },
];
const ELEMENT = 2; // bytes, in bf16

export function attentionPoints(): KernelPoint[] {
  return MODELS.flatMap((model) =>
    CASES.flatMap(({ rows, context, sequences }) => {
      const { heads, kvHeads, headDim } = SHAPES[model]!;
      const contexts = { heads, kvHeads, headDim, rows, context, sequences };
      const before = context - rows;
      const pairs = sequences * (rows * before + (rows * (rows + 1)) / 2); // of a query and a key
      const common = { kind: 'bf16', shape: `${model}, ${sequences} of ${context}` };
      return [
        {
          ...common,
          op: 'attention',
          rows: rows * sequences,
          bytes: 2 * sequences * context * kvHeads * headDim * ELEMENT,
          operations: 4 * pairs * heads * headDim,
          unit: 'bf16' as const,
          time: (timing, path, threads) => timing.timeAttention(path, threads, contexts),
        },
        {
          ...common,
          op: 'kv_write',
          rows: rows * sequences,
          bytes: 2 * rows * sequences * kvHeads * headDim * (ELEMENT + 4),
          operations: 3 * rows * sequences * kvHeads * headDim,
          unit: 'f32' as const,
          time: (timing, path, threads) => timing.timeKvWrite(path, threads, contexts),
        },
      ] satisfies KernelPoint[];
    }),
  );
}
