/** What an edit asks of the keys of all layers, which are read once: how 32 rows read them, their lengths, and their matches. */
import { SHAPES } from '../models/shapes.js';
import { ELEMENT_BYTES } from './contexts.js';
import type { KernelPoint } from './point.js';

const MODEL = 'smollm2-135m';
const CONTEXTS = [512, 2048, 16_384];
const SIGNALS = ['attention', 'norm', 'match'] as const;
const [ROWS, CHUNK, STRIDE] = [32, 256, 2];

/** Products of a query, a centre or the key itself with one key, for each KV head. */
function productsOf(signal: (typeof SIGNALS)[number], keys: number, group: number): number {
  if (signal === 'attention') return group * (ROWS * keys - (ROWS * (ROWS - 1)) / 2);
  if (signal === 'norm') return keys;
  return (keys * (1 - 1 / STRIDE) * CHUNK) / STRIDE; // keys that are no centre, with a chunk's centres
}

export function kvSignalPoints(): KernelPoint[] {
  const { layers, heads, kvHeads, headDim } = SHAPES[MODEL]!;
  return SIGNALS.flatMap((signal) =>
    CONTEXTS.map((keys) => {
      const asked = { signal, layers, heads, kvHeads, headDim, keys };
      return {
        op: 'kv_signal',
        kind: 'bf16',
        shape: `${MODEL}, ${signal} of ${keys}`,
        rows: signal === 'attention' ? ROWS : 1,
        bytes: layers * kvHeads * headDim * keys * ELEMENT_BYTES,
        operations: 2 * headDim * layers * kvHeads * productsOf(signal, keys, heads / kvHeads),
        unit: 'f32' as const,
        time: (timing, path, threads) =>
          timing.timeKvSignal(path, threads, {
            ...asked,
            rows: ROWS,
            chunk: CHUNK,
            stride: STRIDE,
          }),
      };
    }),
  );
}
