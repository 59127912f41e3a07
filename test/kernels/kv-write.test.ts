import { attend } from '../reference/attention.js';
import { kvWrite } from '../reference/kv-write.js';
import type { Kept } from '../reference/kv-write.js';
import { devices } from '../testing.js';
import type { KvShape } from '../testing/attention.js';
import {
  BASE,
  blocksOf,
  queriesOf,
  randomRows,
  readingsOf,
  shapeOf,
  targetsOf,
  TILE,
  valuesOf,
} from './kv-store.js';
import type { Rows } from './kv-store.js';

const PLACES = [5, 2, 7];

/** Keys and values as the reference keeps them, by head and token. */
function keptOf(
  { kvHeads, headDim, interleaved, format }: KvShape,
  { k, v }: Rows,
  positionOf = (token: number) => token,
): Kept[][] {
  const how = { rope: BASE, interleaved, format };
  const tokens = k.length / (kvHeads * headDim);
  return Array.from({ length: kvHeads }, (_, head) =>
    Array.from({ length: tokens }, (__, token) => {
      const at = (token * kvHeads + head) * headDim;
      const part = (all: Float32Array) => all.subarray(at, at + headDim);
      return kvWrite(part(k), part(v), positionOf(token), how);
    }),
  );
}

/** What the seeded queries make of them. */
function attended(shape: KvShape, kept: Kept[][]): number[] {
  const { kvHeads, headDim } = shape;
  const tokens = kept[0]!.length;
  const queries = queriesOf(shape, tokens);
  return Array.from({ length: tokens * kvHeads }, (_, i) => {
    const seen = kept[i % kvHeads]!.slice(0, Math.floor(i / kvHeads) + 1);
    const q = queries.subarray(i * headDim, (i + 1) * headDim);
    const [keys, values] = [seen.map(({ key }) => key), seen.map(({ value }) => value)];
    return [...attend(q, keys, values)];
  }).flat();
}

const largestDifference = (a: ArrayLike<number>, b: number[]) =>
  b.reduce((most, value, i) => Math.max(most, Math.abs(a[i]! - value)), 0);

describe.each(devices)('kv_write on $name', ({ path, isCuda }) => {
  describe.each(isCuda ? (['bf16'] as const) : (['f32', 'bf16'] as const))('%s', (format) => {
    test.each([1, 31, 32, 33, 70])('%d values come back as the format rounds them', (tokens) => {
      const shape = shapeOf(format);
      const kv = blocksOf(path, shape);
      const rows = randomRows(shape, tokens, tokens);
      kv.write(1, targetsOf(PLACES, tokens), rows.k, rows.v);
      const values = valuesOf(kv, shape, 1, PLACES, tokens);
      const kept = keptOf(shape, rows);
      const expected = Array.from({ length: tokens }, (_, token) =>
        kept.flatMap((head) => [...head[token]!.value]),
      );
      expect([...values]).toEqual(expected.flat());
    });

    test('a row that has several targets is in all of them, as if each were written by itself', () => {
      const shape = shapeOf(format);
      const [kv, single] = [blocksOf(path, shape), blocksOf(path, shape)];
      const rows = randomRows(shape, 6, 8);
      // Two branches: rows 0, 1, 2 and rows 0, 1, 3, 4; both begin at slot 0.
      const branches = [
        [0, 1, 2],
        [0, 1, 3, 4],
      ];
      const targets = branches.map((branch, i) => targetsOf([PLACES[i]!], branch.length));
      const all = Int32Array.from(targets.flatMap((list) => [...list]));
      kv.write(0, all, rows.k, rows.v, Int32Array.from(branches.flat()));
      const width = shape.kvHeads * shape.headDim;
      const picked = (values: Float32Array, branch: readonly number[]) =>
        Float32Array.from(
          branch.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]),
        );
      branches.forEach((branch, i) => {
        single.write(0, targets[i]!, picked(rows.k, branch), picked(rows.v, branch));
        const block = [PLACES[i]!];
        expect(valuesOf(kv, shape, 0, block, TILE)).toEqual(
          valuesOf(single, shape, 0, block, TILE),
        );
      });
    });

    test.each([true, false])(
      'keys are rotated at their positions: interleaved %s',
      (interleaved) => {
        const shape = shapeOf(format, { interleaved, headDim: 64 });
        const kv = blocksOf(path, shape);
        const rows = randomRows(shape, 40, 3);
        kv.write(0, targetsOf(PLACES, 40), rows.k, rows.v);
        const expected = attended(shape, keptOf(shape, rows));
        const unrotated = attended(
          shape,
          keptOf(shape, rows, () => 0),
        );
        const tolerance = format === 'bf16' ? 0.03 : 2e-5; // of attention itself
        expect(largestDifference(readingsOf(kv, shape, 0, PLACES, 40), expected)).toBeLessThan(
          tolerance,
        );
        expect(largestDifference(unrotated, expected)).toBeGreaterThan(10 * tolerance);
      },
    );

    test('slot 0 clears its block: nothing of what was there is read', () => {
      const shape = shapeOf(format);
      const kv = blocksOf(path, shape);
      const rows = randomRows(shape, 32, 4);
      kv.write(0, targetsOf([3], 32), rows.k.fill(NaN), rows.v.fill(NaN));
      const one = randomRows(shape, 1, 5);
      kv.write(0, targetsOf([3], 1), one.k, one.v);
      const fresh = blocksOf(path, shape); // whose memory is NaN, too
      fresh.write(0, targetsOf([1], 1), one.k, one.v);
      const read = readingsOf(kv, shape, 0, [3], 1);
      expect(read.every(Number.isFinite)).toBe(true);
      expect(read).toEqual(readingsOf(fresh, shape, 0, [1], 1));
    });

    test('rows written at once are those written one by one, with any number of threads', () => {
      const shape = shapeOf(format);
      const rows = randomRows(shape, 67, 6);
      const width = shape.kvHeads * shape.headDim;
      const single = blocksOf(path, shape, 1);
      for (let i = 0; i < 67; i++) {
        const part = (all: Float32Array) => all.slice(i * width, (i + 1) * width);
        single.write(1, targetsOf(PLACES, 1, i), part(rows.k), part(rows.v));
      }
      const expected = readingsOf(single, shape, 1, PLACES, 67);
      for (const threads of [1, 3]) {
        const kv = blocksOf(path, shape, threads);
        kv.write(1, targetsOf(PLACES, 67), rows.k, rows.v);
        expect(readingsOf(kv, shape, 1, PLACES, 67)).toEqual(expected);
      }
    });

    test('layers do not touch each other, and no rows change nothing', () => {
      const shape = shapeOf(format);
      const kv = blocksOf(path, shape);
      const [first, second] = [randomRows(shape, 33, 7), randomRows(shape, 33, 8)];
      kv.write(0, targetsOf(PLACES, 33), first.k, first.v);
      const before = readingsOf(kv, shape, 0, PLACES, 33);
      kv.write(1, targetsOf(PLACES, 33), second.k, second.v);
      kv.write(0, new Int32Array(0), new Float32Array(0), new Float32Array(0));
      expect(readingsOf(kv, shape, 0, PLACES, 33)).toEqual(before);
    });
  });
});
