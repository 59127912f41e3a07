import { kvMerge } from '../reference/kv-merge.js';
import { roundBf16 } from '../reference/half.js';
import { devices } from '../testing.js';
import { filled, gather, LAYER, merge, readEdited } from './kv-edited.js';
import { randomRows, shapeOf, targetsOf, TILE } from './kv-store.js';

describe.each(devices)('kv_merge on $name', ({ path, isCuda }) => {
  describe.each(isCuda ? (['bf16'] as const) : (['f32', 'bf16'] as const))('%s', (format) => {
    const round = format === 'bf16' ? roundBf16 : Math.fround;
    const shape = shapeOf(format);
    const width = shape.kvHeads * shape.headDim;
    const valuesOf = (block: number) => {
      const { v } = randomRows(shape, TILE, block);
      return (slot: number) => v.subarray(slot * width, (slot + 1) * width).map(round);
    };

    test.each([
      ['one', [1]],
      ['two alike', [0.5, 0.5]],
      ['three, unlike', [0.625, 0.25, 0.125]],
    ] as const)('the value is the mean of %s', (_, shares) => {
      const kv = filled(path, shape);
      gather(kv, shape, 0, [{ block: 0, slot: 9 }]);
      const sources = shares.map((share, i) => ({ block: i % 2, slot: 3 * i + 1, share }));
      merge(kv, shape, [0, 0], sources);
      const from = sources.map(({ block, slot }) => valuesOf(block)(slot));
      const wanted = kvMerge(from, shares);
      const out = readEdited(kv, shape, [0], 1); // of one key: its value
      wanted.forEach((value, i) =>
        expect(Math.abs(out[i]! - value)).toBeLessThanOrEqual(
          (format === 'bf16' ? 2 ** -8 : 1e-6) * Math.max(1, Math.abs(value)),
        ),
      );
    });

    test('the key is the mean of keys as they are stored, and its neighbours stay', () => {
      const kv = filled(path, shape);
      // Rows whose sum is exact, so that the mean can be written as a row of its own; position 0 does not rotate.
      const rows = randomRows(shape, 4, 3);
      const exact = (array: Float32Array) => array.map((x) => Math.round(8 * x) / 8);
      const [k, v] = [exact(rows.k), exact(rows.v)];
      for (let i = 0; i < width; i++) {
        k[3 * width + i] = kvMerge([[k[i]!], [k[width + i]!]], [0.5, 0.5])[0]!;
        v[3 * width + i] = kvMerge([[v[i]!], [v[width + i]!]], [0.5, 0.5])[0]!;
      }
      const targets = targetsOf([4], 4);
      for (let i = 0; i < 4; i++) targets[3 * i + 2] = 0;
      kv.write(LAYER, targets, k, v);
      const of = (...slots: number[]) => slots.map((slot) => ({ block: 4, slot }));
      gather(kv, shape, 0, of(2, 1, 2));
      merge(
        kv,
        shape,
        [0, 1],
        [
          { block: 4, slot: 0, share: 0.5 },
          { block: 4, slot: 1, share: 0.5 },
        ],
      );
      gather(kv, shape, 1, of(2, 3, 2));
      expect(readEdited(kv, shape, [0], 3)).toEqual(readEdited(kv, shape, [1], 3));
      // As well of keys of an edited block.
      gather(kv, shape, 2, of(0, 1));
      gather(kv, shape, 3, of(2, 2, 2));
      merge(
        kv,
        shape,
        [3, 1],
        [
          { block: 2, slot: 0, edited: true, share: 0.5 },
          { block: 2, slot: 1, edited: true, share: 0.5 },
        ],
      );
      expect(readEdited(kv, shape, [3], 3)).toEqual(readEdited(kv, shape, [1], 3));
    });

    test('none changes nothing', () => {
      const kv = filled(path, shape);
      gather(kv, shape, 0, [{ block: 0, slot: 9 }]);
      const before = readEdited(kv, shape, [0], 1);
      kv.merge(new Int32Array(0), new Int32Array(0), new Float32Array(0));
      kv.gather(new Int32Array(0), new Float32Array(0));
      expect(readEdited(kv, shape, [0], 1)).toEqual(before);
    });
  });
});
