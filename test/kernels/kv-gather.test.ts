import { kvGather } from '../reference/kv-gather.js';
import { devices } from '../testing.js';
import { filled, gather, LAYER, readEdited } from './kv-edited.js';
import type { Source } from './kv-edited.js';
import { queriesOf, randomRows, shapeOf, targetsOf, TILE } from './kv-store.js';

const slotsOf = (block: number, slots: readonly number[]): Source[] =>
  slots.map((slot) => ({ block, slot }));

/** Of one token, of some, of all but one, and of all. */
const KEPT = [
  [0],
  [31],
  [3, 4, 9, 30],
  Array.from({ length: 31 }, (_, i) => i),
  Array.from({ length: TILE }, (_, i) => i),
];

describe.each(devices)('kv_gather on $name', ({ path, isCuda }) => {
  describe.each(isCuda ? (['bf16'] as const) : (['f32', 'bf16'] as const))('%s', (format) => {
    const shape = shapeOf(format);
    const width = shape.kvHeads * shape.headDim;

    /** What a plain block gives that holds these rows, which are rotated by where they stood. */
    const plainOf = (kv: ReturnType<typeof filled>, slots: readonly number[], block: number) => {
      const { k, v } = randomRows(shape, TILE, block);
      const vectors = (array: Float32Array) =>
        kvGather(
          Array.from({ length: TILE }, (_, i) =>
            Float64Array.from(array.subarray(i * width, (i + 1) * width)),
          ),
          slots,
          slots.length,
        ).flatMap((vector) => [...vector]);
      const targets = targetsOf([5], slots.length);
      slots.forEach((slot, i) => (targets[3 * i + 2] = slot));
      kv.write(LAYER, targets, Float32Array.from(vectors(k)), Float32Array.from(vectors(v)));
      const q = queriesOf(shape, 1);
      return kv.attend(LAYER, Int32Array.of(5), slots.length, 0, q);
    };

    test.each(KEPT)(
      'slots %p, ...: the keys and values are those of the source, to the bit',
      (...slots) => {
        const kv = filled(path, shape);
        gather(kv, shape, 2, slotsOf(1, slots));
        expect(readEdited(kv, shape, [2], slots.length)).toEqual(plainOf(kv, slots, 1));
      },
    );

    test('from two blocks into two, and the sources stay', () => {
      const kv = filled(path, shape);
      const q = queriesOf(shape, 1);
      const before = kv.attend(LAYER, Int32Array.of(0, 1), 2 * TILE, 0, q);
      const all = Array.from({ length: TILE }, (_, i) => i);
      gather(kv, shape, 0, slotsOf(0, all));
      gather(kv, shape, 1, slotsOf(1, all));
      expect(readEdited(kv, shape, [0, 1], 2 * TILE)).toEqual(before);
      expect(kv.attend(LAYER, Int32Array.of(0, 1), 2 * TILE, 0, q)).toEqual(before);
    });

    test('of an edited block, as of what that was made of', () => {
      const kv = filled(path, shape);
      gather(kv, shape, 0, slotsOf(1, [2, 5, 6, 20, 31]));
      gather(kv, shape, 1, [
        { block: 0, slot: 1, edited: true },
        { block: 0, slot: 3, edited: true },
        { block: 0, slot: 7 },
      ]);
      gather(kv, shape, 2, [...slotsOf(1, [5, 20]), { block: 0, slot: 7 }]);
      expect(readEdited(kv, shape, [1], 3)).toEqual(readEdited(kv, shape, [2], 3));
    });

    test('a block that is used again keeps nothing of before', () => {
      const kv = filled(path, shape);
      gather(kv, shape, 3, slotsOf(0, KEPT[4]!));
      gather(kv, shape, 3, slotsOf(1, [8, 9]));
      gather(kv, shape, 4, slotsOf(1, [8, 9]));
      expect(readEdited(kv, shape, [3], 2)).toEqual(readEdited(kv, shape, [4], 2));
    });

    test('a log-weight of 1 counts a key twice, and -Infinity not at all', () => {
      const kv = filled(path, shape);
      gather(kv, shape, 0, [
        { block: 0, slot: 1, weight: 1 },
        { block: 0, slot: 2, weight: -Infinity },
        { block: 0, slot: 3 },
      ]);
      gather(kv, shape, 1, slotsOf(0, [1, 1, 3]));
      const [weighted, twice] = [0, 1].map((block) => readEdited(kv, shape, [block], 3));
      const tolerance = format === 'bf16' ? 1e-2 : 1e-5;
      weighted!.forEach((value, i) => expect(Math.abs(value - twice![i]!)).toBeLessThan(tolerance));
    });

    test('the index of a key says where its token stood', () => {
      const kv = filled(path, shape);
      const keys = [10, 20, 30].map((index, i) => ({ block: 0, slot: 4 + i, index }));
      gather(kv, shape, 0, keys);
      gather(kv, shape, 1, keys.slice(1));
      gather(kv, shape, 2, keys.slice(2));
      // The token at 500 reads the last `window` positions.
      for (const [window, block] of [
        [491, 0],
        [490, 1],
        [481, 1],
        [480, 2],
        [471, 2],
      ] as const)
        expect(readEdited(kv, shape, [0], 3, { window })).toEqual(
          readEdited(kv, shape, [block], 3 - block),
        );
      expect(readEdited(kv, shape, [0], 3, { window: 470 })).toEqual(new Float32Array(width));
    });
  });
});
