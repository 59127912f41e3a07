/** Copies of 31 tokens of all layers: what a fork inside a block costs. A copy reads and clears and writes. */
import { SHAPES } from '../models/shapes.js';
import type { KernelPoint } from './point.js';

const MODELS = ['smollm2-135m', 'llama-3.2-1b'];
const ELEMENT = 2; // bytes, in bf16

export function kvCopyPoints(): KernelPoint[] {
  return MODELS.flatMap((model) =>
    [1, 16].map((copies) => {
      const { layers, kvHeads, headDim } = SHAPES[model]!;
      const numbers = 2 * copies * layers * kvHeads * headDim; // of a token's keys and values
      return {
        op: 'kv_copy',
        kind: 'bf16',
        shape: model,
        rows: 31 * copies,
        bytes: numbers * (31 + 31 + 32) * ELEMENT,
        operations: numbers * 31,
        unit: 'f32' as const,
        time: (timing, path, threads) =>
          timing.timeKvCopy(path, threads, { layers, kvHeads, headDim, copies }),
      };
    }),
  );
}
