import { kvCopy } from '../reference/kv-copy.js';
import { devices } from '../testing.js';
import type { NativeKvBlocks, KvShape } from '../testing/attention.js';
import {
  blocksOf,
  randomRows,
  readingsOf,
  shapeOf,
  targetsOf,
  TILE,
  valuesOf,
} from './kv-store.js';

/** Blocks 0 and 1 hold 32 tokens each in all layers; the others hold NaN. */
function filled(path: string, shape: KvShape): NativeKvBlocks {
  const kv = blocksOf(path, shape);
  for (let layer = 0; layer < shape.layers; layer++)
    for (const block of [0, 1]) {
      const rows = randomRows(shape, TILE, 10 * layer + block);
      kv.write(layer, targetsOf([block], TILE), rows.k, rows.v);
    }
  return kv;
}

const layersOf = ({ layers }: KvShape) => Array.from({ length: layers }, (_, layer) => layer);

describe.each(devices)('kv_copy on $name', ({ path, isCuda }) => {
  describe.each(isCuda ? (['bf16'] as const) : (['f32', 'bf16'] as const))('%s', (format) => {
    test.each([1, 7, 31])('the first %d tokens are those of the source in every layer', (n) => {
      const shape = shapeOf(format);
      const kv = filled(path, shape);
      const before = layersOf(shape).map((layer) => readingsOf(kv, shape, layer, [0], TILE));
      kv.copy(Int32Array.of(0, 4, n));
      for (const layer of layersOf(shape)) {
        expect(readingsOf(kv, shape, layer, [4], n)).toEqual(readingsOf(kv, shape, layer, [0], n));
        expect(readingsOf(kv, shape, layer, [0], TILE)).toEqual(before[layer]); // which stays
      }
    });

    test('the rest is cleared, though it held NaN: it reads as zeros', () => {
      const shape = shapeOf(format);
      const kv = filled(path, shape);
      const width = shape.kvHeads * shape.headDim;
      kv.copy(Int32Array.of(1, 5, 9));
      const slots = (block: number) => {
        const values = Float64Array.from(valuesOf(kv, shape, 1, [block], TILE));
        return Array.from({ length: TILE }, (_, i) => values.slice(i * width, (i + 1) * width));
      };
      expect(slots(5)).toEqual(kvCopy(slots(1), 9));
      // Keys that are zeros weigh what a score of zero weighs; a NaN among them would show in every row.
      expect(readingsOf(kv, shape, 1, [5], TILE).every(Number.isFinite)).toBe(true);
    });

    test('a copy is written on as its source would have been', () => {
      const shape = shapeOf(format);
      const kv = filled(path, shape);
      kv.copy(Int32Array.of(0, 6, 20));
      const rows = randomRows(shape, 12, 77);
      kv.write(0, targetsOf([6], 12, 20), rows.k, rows.v);
      kv.write(0, targetsOf([0], 12, 20), rows.k, rows.v);
      expect(readingsOf(kv, shape, 0, [6], TILE)).toEqual(readingsOf(kv, shape, 0, [0], TILE));
    });

    test('several copies at once, and none', () => {
      const shape = shapeOf(format);
      const kv = filled(path, shape);
      kv.copy(Int32Array.of(0, 2, 3, 0, 3, 30, 1, 4, 31));
      kv.copy(new Int32Array(0));
      for (const layer of layersOf(shape))
        for (const [from, to, n] of [
          [0, 2, 3],
          [0, 3, 30],
          [1, 4, 31],
        ] as const)
          expect(readingsOf(kv, shape, layer, [to], n)).toEqual(
            readingsOf(kv, shape, layer, [from], n),
          );
    });
  });
});
