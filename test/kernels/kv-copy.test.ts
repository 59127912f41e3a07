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

/** A block as a test would have it after a copy: rows of zeros stand for the slots outside of [first, end). */
function writeKept(kv: NativeKvBlocks, shape: KvShape, block: number, kept: Kept): void {
  const { kvHeads, headDim } = shape;
  for (const layer of layersOf(shape)) {
    const { k, v } = randomRows(shape, TILE, 10 * layer + kept.from);
    for (const rows of [k, v]) {
      rows.fill(0, 0, kept.first * kvHeads * headDim);
      rows.fill(0, kept.end * kvHeads * headDim);
    }
    kv.write(layer, targetsOf([block], TILE), k, v);
  }
}

interface Kept {
  from: number;
  first: number;
  end: number;
}

/** From the first slot, to the last one, neither, and both. */
const RANGES = [
  [0, 1],
  [0, 7],
  [0, 31],
  [1, 32],
  [19, 32],
  [31, 32],
  [3, 9],
  [16, 17],
  [0, 32],
] as const;

describe.each(devices)('kv_copy on $name', ({ path, isCuda }) => {
  describe.each(isCuda ? (['bf16'] as const) : (['f32', 'bf16'] as const))('%s', (format) => {
    test.each(RANGES)(
      'slots %d to %d are those of the source in every layer, and all others zeros',
      (first, end) => {
        const shape = shapeOf(format);
        const kv = filled(path, shape);
        const before = layersOf(shape).map((layer) => readingsOf(kv, shape, layer, [0], TILE));
        writeKept(kv, shape, 3, { from: 0, first, end });
        kv.copy(Int32Array.of(0, 4, first, end));
        for (const layer of layersOf(shape)) {
          expect(readingsOf(kv, shape, layer, [4], TILE)).toEqual(
            readingsOf(kv, shape, layer, [3], TILE),
          );
          expect(readingsOf(kv, shape, layer, [0], TILE)).toEqual(before[layer]); // which stays
        }
      },
    );

    test.each(RANGES)('of slots %d to %d the values are, to the bit', (first, end) => {
      const shape = shapeOf(format);
      const kv = filled(path, shape);
      const width = shape.kvHeads * shape.headDim;
      kv.copy(Int32Array.of(1, 5, first, end));
      const slots = (block: number) => {
        const values = Float64Array.from(valuesOf(kv, shape, 1, [block], TILE));
        return Array.from({ length: TILE }, (_, i) => values.slice(i * width, (i + 1) * width));
      };
      expect(slots(5)).toEqual(kvCopy(slots(1), first, end));
    });

    test.each(RANGES)(
      'of a slab to itself slots %d to %d stay, and all others are cleared',
      (first, end) => {
        const shape = shapeOf(format);
        const kv = filled(path, shape);
        writeKept(kv, shape, 3, { from: 0, first, end });
        kv.copy(Int32Array.of(0, 0, first, end));
        for (const layer of layersOf(shape))
          expect(readingsOf(kv, shape, layer, [0], TILE)).toEqual(
            readingsOf(kv, shape, layer, [3], TILE),
          );
      },
    );

    test('a copy is written on as its source would have been', () => {
      const shape = shapeOf(format);
      const kv = filled(path, shape);
      kv.copy(Int32Array.of(0, 6, 0, 20));
      const rows = randomRows(shape, 12, 77);
      kv.write(0, targetsOf([6], 12, 20), rows.k, rows.v);
      kv.write(0, targetsOf([0], 12, 20), rows.k, rows.v);
      expect(readingsOf(kv, shape, 0, [6], TILE)).toEqual(readingsOf(kv, shape, 0, [0], TILE));
    });

    test('several copies at once, and none', () => {
      const shape = shapeOf(format);
      const kv = filled(path, shape);
      const copies = [
        [0, 2, 0, 3],
        [0, 3, 2, 32],
        [1, 4, 8, 31],
      ] as const;
      kv.copy(Int32Array.from(copies.flat()));
      kv.copy(new Int32Array(0));
      for (const [from, to, first, end] of copies) {
        writeKept(kv, shape, 7, { from, first, end });
        for (const layer of layersOf(shape))
          expect(readingsOf(kv, shape, layer, [to], TILE)).toEqual(
            readingsOf(kv, shape, layer, [7], TILE),
          );
      }
    });
  });
});
