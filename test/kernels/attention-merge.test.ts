import { Random } from '../random.js';
import { attentionMerge } from '../reference/attention-merge.js';
import { devices, testing } from '../testing.js';
import type { Partial as Parts } from '../testing/attention.js';

type Entry = { partial: number; spanGroup: number };

const SHAPE = { heads: 3, headDim: 16 };

/** As attention leaves them: maxima of any size, sums of at least 1, out up to sum. */
function randomPartial(random: Random, { heads, headDim } = SHAPE): Parts {
  const sum = Float32Array.from({ length: heads }, () => 1 + 40 * random.next());
  return {
    out: random.normals(heads * headDim).map((x, i) => x * sum[Math.floor(i / headDim)]!),
    max: random.normals(heads, 6),
    sum,
  };
}

const emptyPartial = ({ heads, headDim } = SHAPE): Parts => ({
  out: new Float32Array(heads * headDim),
  max: new Float32Array(heads).fill(-Infinity),
  sum: new Float32Array(heads),
});

/** One row over all partials, so many in a group. */
const inGroups = (n: number, size: number): Entry[] =>
  Array.from({ length: n }, (_, partial) => ({ partial, spanGroup: Math.floor(partial / size) }));

function expected(partials: Parts[], row: Entry[], { heads, headDim } = SHAPE): number[] {
  return Array.from({ length: heads }, (_, head) =>
    attentionMerge(
      row.map(({ partial }) => ({
        out: partials[partial]!.out.subarray(head * headDim, (head + 1) * headDim),
        max: partials[partial]!.max[head]!,
        sum: partials[partial]!.sum[head]!,
      })),
      headDim,
    ),
  ).flatMap((out) => [...out]);
}

function expectMerged(actual: Float32Array, wanted: number[]): void {
  expect(actual).toHaveLength(wanted.length);
  wanted.forEach((value, i) => expect(Math.abs(actual[i]! - value)).toBeLessThan(1e-5));
}

describe.each(devices)('attention_merge on $name', ({ path }) => {
  const merge = (partials: Parts[], rows: Entry[][], shape = SHAPE, threads = 2) =>
    testing.attentionMerge(path, threads, shape, partials, rows);

  test.each([
    [1, 16],
    [2, 16],
    [9, 4],
    [17, 16],
    [40, 16],
  ])('%d partials in groups of %d give what float64 gives', (n, size) => {
    const random = new Random(n);
    const partials = Array.from({ length: n }, () => randomPartial(random));
    const row = inGroups(n, size);
    expectMerged(merge(partials, [row]), expected(partials, row));
  });

  test.each([1, 33, 64])('heads of %d numbers, one head, one row', (headDim) => {
    const shape = { heads: 1, headDim };
    const random = new Random(headDim);
    const partials = [randomPartial(random, shape), randomPartial(random, shape)];
    expectMerged(
      merge(partials, [inGroups(2, 1)], shape),
      expected(partials, inGroups(2, 1), shape),
    );
  });

  test('an empty partial changes no bit, on the left, on the right and between', () => {
    const random = new Random(5);
    const [a, b, none] = [randomPartial(random), randomPartial(random), emptyPartial()];
    const entries = (...list: [number, number][]) =>
      list.map(([partial, spanGroup]) => ({ partial, spanGroup }));
    const plain = merge([a, b, none], [entries([0, 0], [1, 0])]);
    for (const row of [
      entries([2, 0], [0, 0], [1, 0]),
      entries([0, 0], [1, 0], [2, 0]),
      entries([0, 0], [2, 0], [1, 0]),
      entries([2, 0], [0, 1], [1, 1]),
      entries([0, 0], [1, 0], [2, 1]),
    ])
      expect(merge([a, b, none], [row])).toEqual(plain);
  });

  test('a row whose keys are all masked, and one without partials, are zeros', () => {
    const none = [emptyPartial(), emptyPartial(), randomPartial(new Random(1))];
    const rows = [inGroups(2, 1), [], inGroups(3, 1), inGroups(2, 2)];
    const out = merge(none, rows);
    const width = SHAPE.heads * SHAPE.headDim;
    expect([...out.slice(0, 2 * width)]).toEqual(new Array(2 * width).fill(0));
    expect([...out.slice(3 * width)]).toEqual(new Array(width).fill(0));
    expect(out.slice(2 * width, 3 * width).some((value) => value !== 0)).toBe(true);
  });

  test('maxima far apart make no infinity and no NaN: the larger one stands', () => {
    const random = new Random(6);
    const [small, large] = [randomPartial(random), randomPartial(random)];
    small.max.fill(-3e38);
    large.max.fill(3e38);
    const row = inGroups(2, 2);
    expectMerged(merge([small, large], [row]), expected([large], [row[0]!]));
    expectMerged(merge([large, small], [row]), expected([large], [row[0]!]));
  });

  test('a partial of NaN scores is not taken for an empty one', () => {
    const bad = emptyPartial();
    bad.sum.fill(NaN);
    const out = merge([randomPartial(new Random(7)), bad], [inGroups(2, 2)]);
    expect(out.every(Number.isNaN)).toBe(true);
  });

  // Of equal maxima every factor is 1, so that a fold is a chain of float additions, whose order shows.
  test.each([1, 4, 16])(
    'partials fold left to right in groups of %d, and groups left to right, to the bit',
    (size) => {
      const random = new Random(8);
      const partials = Array.from({ length: 16 }, () => ({
        out: random.normals(SHAPE.heads * SHAPE.headDim, 100),
        max: new Float32Array(SHAPE.heads),
        sum: new Float32Array(SHAPE.heads).fill(1), // 16 together, by which a float divides exactly
      }));
      const folded = (all: Float32Array[]) =>
        all.reduce((sum, next) => sum.map((value, i) => value + next[i]!));
      const groups = Array.from({ length: 16 / size }, (_, group) =>
        folded(partials.slice(group * size, (group + 1) * size).map(({ out }) => out)),
      );
      const wanted = folded(groups).map((value) => value / 16);
      expect(merge(partials, [inGroups(16, size)])).toEqual(wanted);
      // A group's number says only where it ends.
      const renamed = inGroups(16, size).map(({ partial, spanGroup }) => ({
        partial,
        spanGroup: 5 * spanGroup + 2,
      }));
      expect(merge(partials, [renamed])).toEqual(wanted);
    },
  );

  test('a row has the same bits alone, among others and with any number of threads', () => {
    const random = new Random(9);
    const partials = Array.from({ length: 30 }, () => randomPartial(random));
    const rows = Array.from({ length: 21 }, (_, i) => inGroups(1 + i, 1 + (i % 5)));
    const together = merge(partials, rows, SHAPE, 1);
    expect(merge(partials, rows, SHAPE, 3)).toEqual(together);
    const width = SHAPE.heads * SHAPE.headDim;
    rows.forEach((row, i) =>
      expect(merge(partials, [row])).toEqual(together.slice(i * width, (i + 1) * width)),
    );
  });
});
