/** Means of pairs of keys: two are read for each that is written. */
import { SHAPES } from '../models/shapes.js';
import type { KernelPoint } from './point.js';

const MODELS = ['smollm2-135m', 'llama-3.2-1b'];
const ELEMENT = 2; // bytes, in bf16

export function kvMergePoints(): KernelPoint[] {
  return MODELS.flatMap((model) =>
    [32, 512].map((keys) => {
      const { layers, kvHeads, headDim } = SHAPES[model]!;
      const numbers = 2 * layers * kvHeads * headDim; // of a token's keys and values
      return {
        op: 'kv_merge',
        kind: 'bf16',
        shape: model,
        rows: keys,
        bytes: numbers * keys * 3 * ELEMENT,
        operations: numbers * keys,
        unit: 'f32' as const,
        time: (timing, path, threads) =>
          timing.timeKvMerge(path, threads, { layers, kvHeads, headDim, keys }),
      };
    }),
  );
}
