/** Folding a row's partials, 16 in a group: an exponential for each side, a product and a sum for each number. */
import { SHAPES } from '../models/shapes.js';
import type { KernelPoint } from './point.js';

const MODELS = ['smollm2-135m', 'llama-3.2-1b'];
const CASES = [
  { rows: 1, partials: 8 },
  { rows: 1, partials: 64 },
  { rows: 64, partials: 2 },
  { rows: 512, partials: 8 },
];

export function attentionMergePoints(): KernelPoint[] {
  return MODELS.flatMap((model) =>
    CASES.map(({ rows, partials }) => {
      const { heads, headDim } = SHAPES[model]!;
      return {
        op: 'attention_merge',
        kind: 'f32',
        shape: `${model}, ${partials} partials`,
        rows,
        bytes: 0,
        operations: rows * heads * partials * (3 * headDim + 35),
        unit: 'f32' as const,
        time: (timing, path, threads) =>
          timing.timeAttentionMerge(path, threads, { heads, headDim, rows, partials }),
      };
    }),
  );
}
