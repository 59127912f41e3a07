/** Ops that move stored KV of all layers of a model, in bf16, from memory to memory. */
import type { TimingBinding } from '../../test/testing.js';
import { SHAPES } from '../models/shapes.js';
import type { KernelPoint } from './point.js';

const MODELS = ['smollm2-135m', 'llama-3.2-1b'];
const ELEMENT = 2; // bytes

interface StoredKvOp {
  op: string;
  /** Rows of each point: tokens that the op writes. */
  rows: readonly number[];
  /** Tokens' KV read, cleared or written per row. */
  moved: number;
  time: (
    timing: TimingBinding,
    path: string,
    threads: number,
    model: { layers: number; kvHeads: number; headDim: number },
    rows: number,
  ) => number;
}

export function storedKvPoints({ op, rows, moved, time }: StoredKvOp): KernelPoint[] {
  return MODELS.flatMap((shape) =>
    rows.map((n) => {
      const { layers, kvHeads, headDim } = SHAPES[shape]!;
      const numbers = 2 * layers * kvHeads * headDim * n; // keys and values
      return {
        op,
        kind: 'bf16',
        shape,
        rows: n,
        bytes: numbers * moved * ELEMENT,
        operations: numbers,
        unit: 'f32' as const,
        time: (timing, path, threads) =>
          time(timing, path, threads, { layers, kvHeads, headDim }, n),
      };
    }),
  );
}
