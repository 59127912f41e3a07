import { Random } from '../random.js';
import { attend, ropeTable, rotate } from '../reference/attention.js';
import { paths, testing } from '../testing.js';
import type { AttentionCase, AttentionContext } from '../testing.js';

const BASE = 10000;
const POSITIONS = 9000;

function shape(
  heads: number,
  kvHeads: number,
  headDim: number,
  options: Partial<AttentionCase> = {},
): AttentionCase {
  return {
    heads,
    kvHeads,
    headDim,
    format: 'f32',
    parallelism: 1,
    window: 0,
    interleaved: true,
    ...ropeTable(POSITIONS, headDim, BASE),
    ...options,
  };
}

function context(
  tokens: number,
  rows: number,
  { heads, kvHeads, headDim }: AttentionCase,
  random: Random,
): AttentionContext {
  return {
    k: random.normals(tokens * kvHeads * headDim),
    v: random.normals(tokens * kvHeads * headDim),
    q: random.normals(rows * heads * headDim),
    rows,
  };
}

function reference(c: AttentionCase, { k, v, q, rows }: AttentionContext): number[] {
  const { heads, kvHeads, headDim } = c;
  const tokens = k.length / (kvHeads * headDim);
  const vector = (array: Float32Array, index: number) =>
    array.subarray(index * headDim, (index + 1) * headDim);
  const out: number[] = [];
  for (let row = 0; row < rows; row++) {
    const position = tokens - rows + row;
    for (let head = 0; head < heads; head++) {
      const group = Math.floor(head / (heads / kvHeads));
      const first = c.window === 0 ? 0 : Math.max(0, position + 1 - c.window);
      const upTo = Array.from({ length: position + 1 - first }, (_, t) => first + t);
      const keys = upTo.map((t) => rotate(vector(k, t * kvHeads + group), t, BASE, c.interleaved));
      const values = upTo.map((t) => vector(v, t * kvHeads + group));
      out.push(
        ...attend(
          rotate(vector(q, row * heads + head), position, BASE, c.interleaved),
          keys,
          values,
        ),
      );
    }
  }
  return out;
}

function largestError(actual: ArrayLike<number>, expected: number[]): number {
  return Math.max(...expected.map((value, i) => Math.abs(actual[i]! - value)));
}

describe.each(paths)('attention on %s', (path) => {
  // One token; a partial tile; a tile; past a tile; a span and one more; two groups would be 4096 and more.
  test.each([
    [1, 1],
    [7, 7],
    [32, 1],
    [33, 5],
    [257, 3],
    [600, 40],
  ])('equals the float64 reference for %d tokens, %d rows', (tokens, rows) => {
    for (const c of [shape(4, 2, 16), shape(3, 3, 48), shape(8, 1, 10, { interleaved: false })]) {
      const one = context(tokens, rows, c, new Random(tokens + rows));
      expect(largestError(testing.attention(path, 2, c, [one]), reference(c, one))).toBeLessThan(
        3e-6,
      );
    }
  });

  // A window of one key; inside a tile; across tiles; across spans; longer than the context.
  test.each([1, 5, 40, 300, 1000])('equals the reference with a window of %d keys', (window) => {
    for (const c of [shape(4, 2, 16, { window }), shape(3, 3, 48, { window, parallelism: 64 })]) {
      const one = context(600, 70, c, new Random(window));
      expect(largestError(testing.attention(path, 2, c, [one]), reference(c, one))).toBeLessThan(
        3e-6,
      );
    }
  });

  test('equals the reference across a group of spans', () => {
    const c = shape(1, 1, 8);
    const one = context(4100, 2, c, new Random(11));
    expect(largestError(testing.attention(path, 1, c, [one]), reference(c, one))).toBeLessThan(
      3e-6,
    );
  });

  test('bf16 keys and values cost their rounding, and no more', () => {
    const c = shape(4, 2, 64, { format: 'bf16' });
    const one = context(300, 3, c, new Random(12));
    expect(largestError(testing.attention(path, 2, c, [one]), reference(c, one))).toBeLessThan(
      2e-2,
    );
  });

  test.each([
    ['f32', 0],
    ['bf16', 0],
    ['f32', 333],
    ['bf16', 333],
  ] as const)(
    '%s, window %d: a row has the same bits however work is cut and whoever is beside it',
    (format, window) => {
      const c = shape(6, 2, 32, { format, window });
      const random = new Random(13);
      const long = context(1500, 3, c, random);
      const short = context(70, 70, c, random);
      const width = c.heads * c.headDim;
      const together = testing.attention(path, 1, c, [long, short]);
      for (const parallelism of [1, 2, 16, 1000]) {
        for (const threads of [1, 2, 3]) {
          expect(testing.attention(path, threads, { ...c, parallelism }, [long, short])).toEqual(
            together,
          );
        }
      }
      expect(testing.attention(path, 1, c, [long])).toEqual(together.slice(0, 3 * width));
      // The last row alone, as decoding would compute it.
      const last = { ...short, q: short.q.slice(69 * width), rows: 1 };
      expect(testing.attention(path, 1, c, [last])).toEqual(together.slice(-width));
    },
  );
});
