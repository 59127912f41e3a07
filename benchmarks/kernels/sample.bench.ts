/** Drawing a token of each row. The logits lie in the caches, so that its bound is the arithmetic alone. */
import { SHAPES } from '../models/shapes.js';
import type { KernelPoint } from './point.js';

const VOCABULARY = SHAPES['llama-3.2-1b']!.vocabulary;
const WAYS = [
  { kind: 'greedy', temperature: 0, topK: 0 },
  { kind: 'top-k 40', temperature: 0.8, topK: 40 },
];

export function samplePoints(): KernelPoint[] {
  return WAYS.flatMap(({ kind, temperature, topK }) =>
    [1, 16].map((rows) => ({
      op: 'sample',
      kind,
      shape: String(VOCABULARY),
      rows,
      bytes: 0,
      operations: 16 * rows * VOCABULARY,
      unit: 'f32' as const,
      time: (timing, path, threads) =>
        timing.timeSample(path, threads, rows, VOCABULARY, temperature, topK),
    })),
  );
}
