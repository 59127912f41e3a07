import { Random } from '../random.js';
import { keepQueries } from '../reference/keep-queries.js';
import { ropeOf } from '../reference/rope.js';
import type { RopeShape } from '../reference/rope.js';
import { devices } from '../testing.js';
import { BASE, blocksOf, shapeOf } from './kv-store.js';

const POSITIONS = [0, 1, 2, 300, 511];
const POSITION_COUNT = 512;
const TOLERANCE = 1e-6; // of numbers around 1

interface Kept {
  row: number;
  place: number;
}

/** The angles of stretched positions, as the op gets them. */
function tableOf(rope: RopeShape, headDim: number) {
  const { frequencies, magnitude } = ropeOf(rope, headDim);
  const angles = Array.from({ length: POSITION_COUNT }, (_, position) =>
    frequencies.map((frequency) => position * frequency),
  ).flat();
  return {
    cosines: Float32Array.from(angles, (angle) => magnitude * Math.cos(angle)),
    sines: Float32Array.from(angles, (angle) => magnitude * Math.sin(angle)),
  };
}

/** What lies in each place of each layer, by the op and by the reference; NaN where nothing was put. */
function keptOf(
  path: string,
  how: { headDim: number; heads: number; layers: number; interleaved: boolean; rope: RopeShape },
  places: number,
  kept: readonly Kept[],
): { actual: number[]; expected: number[] } {
  const { headDim, heads, layers, interleaved } = how;
  const width = heads * headDim;
  const q = new Random(5).normals(layers * POSITIONS.length * width);
  const table = tableOf(how.rope, headDim);
  const kv = blocksOf(path, shapeOf('bf16', { headDim, interleaved, ...table }));
  const pairs = Int32Array.from(kept.flatMap(({ row, place }) => [row, place]));
  const actual = [...kv.keepQueries(heads, places, Int32Array.from(POSITIONS), pairs, q)];
  const rope = ropeOf(how.rope, headDim);
  const expected = new Array<number>(layers * places * width).fill(NaN);
  for (let layer = 0; layer < layers; layer++) {
    for (const { row, place } of kept) {
      const at = (layer * POSITIONS.length + row) * width;
      const from = q.subarray(at, at + width);
      const rotated = keepQueries(from, POSITIONS[row]!, { headDim, rope, interleaved });
      expected.splice((layer * places + place) * width, width, ...rotated);
    }
  }
  return { actual, expected };
}

const SHAPE = { headDim: 32, heads: 3, layers: 2, interleaved: true, rope: { base: BASE } };

describe.each(devices)('keep_queries on $name', ({ path }) => {
  test.each<[string, typeof SHAPE & { rope: RopeShape }]>([
    ['neighbours are pairs', SHAPE],
    ['halves are pairs', { ...SHAPE, interleaved: false }],
    ['one wide head of one layer', { ...SHAPE, headDim: 128, heads: 1, layers: 1 }],
    ['narrow heads', { ...SHAPE, headDim: 16, heads: 9, layers: 3 }],
    [
      'stretched positions, whose angles have a magnitude',
      { ...SHAPE, rope: { base: BASE, scaling: { type: 'yarn', factor: 4, original: 128 } } },
    ],
  ])('rows are rotated at their positions: %s', (_, shape) => {
    const rows = POSITIONS.map((__, row) => ({ row, place: row }));
    const { actual, expected } = keptOf(path, shape, rows.length, rows);
    actual.forEach((value, i) =>
      expect(Math.abs(value - expected[i]!)).toBeLessThan(TOLERANCE * (1 + Math.abs(value))),
    );
  });

  test('some rows go to places in any order, and nothing is put between them', () => {
    const kept = [
      { row: 4, place: 1 },
      { row: 0, place: 5 },
      { row: 3, place: 0 },
      { row: 3, place: 3 }, // as well
    ];
    const { actual, expected } = keptOf(path, SHAPE, 7, kept);
    expect(actual.map(Number.isNaN)).toEqual(expected.map(Number.isNaN));
    actual.forEach((value, i) => {
      if (!Number.isNaN(value)) expect(value).toBeCloseTo(expected[i]!, 5);
    });
  });

  test('none are kept', () => {
    expect(keptOf(path, SHAPE, 2, []).actual.every(Number.isNaN)).toBe(true);
  });
});
