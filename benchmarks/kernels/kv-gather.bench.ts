/** Keys that an edit keeps, every second one of a context: each is read and written. */
import { SHAPES } from '../models/shapes.js';
import type { KernelPoint } from './point.js';

const MODELS = ['smollm2-135m', 'llama-3.2-1b'];
const ELEMENT = 2; // bytes, in bf16

export function kvGatherPoints(): KernelPoint[] {
  return MODELS.flatMap((model) =>
    [32, 512].map((keys) => {
      const { layers, kvHeads, headDim } = SHAPES[model]!;
      const numbers = 2 * layers * kvHeads * headDim; // of a token's keys and values
      return {
        op: 'kv_gather',
        kind: 'bf16',
        shape: model,
        rows: keys,
        bytes: numbers * keys * 2 * ELEMENT,
        operations: numbers * keys,
        unit: 'f32' as const,
        time: (timing, path, threads) =>
          timing.timeKvGather(path, threads, { layers, kvHeads, headDim, keys }),
      };
    }),
  );
}
