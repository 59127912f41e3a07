/** What touches each value once or twice. Its values lie in the caches, so its bound is the arithmetic alone. */
import { SHAPES } from '../models/shapes.js';
import { ROWS } from './point.js';
import type { KernelPoint } from './point.js';

const VOCABULARY = SHAPES['llama-3.2-1b']!.vocabulary;

export function elementwisePoints(): KernelPoint[] {
  return ROWS.flatMap((rows) => [
    {
      op: 'rms_norm',
      kind: 'f32',
      shape: '2048',
      rows,
      bytes: 0,
      operations: 5 * rows * 2048,
      unit: 'f32',
      time: (timing, path, threads) => timing.timeRmsNorm(path, threads, rows, 2048),
    },
    {
      op: 'silu_mul',
      kind: 'f32',
      shape: '8192',
      rows,
      bytes: 0,
      operations: 16 * rows * 8192, // an exponential is a polynomial of degree five and its scaling
      unit: 'f32',
      time: (timing, path, threads) => timing.timeSiluMul(path, threads, rows, 8192),
    },
  ]);
}

export function samplePoints(): KernelPoint[] {
  const ways = [
    { kind: 'greedy', temperature: 0, topK: 0 },
    { kind: 'top-k 40', temperature: 0.8, topK: 40 },
  ];
  return ways.flatMap(({ kind, temperature, topK }) =>
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
