import fc from 'fast-check';

import { Random } from '../random.js';
import { attend, ropeTable, rotate } from '../reference/attention.js';
import { devices, testing } from '../testing.js';
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
    grouped: true,
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

const shapes = () => [shape(4, 2, 16), shape(3, 3, 48), shape(8, 1, 10, { interleaved: false })];
/** A GPU keeps bf16 only; the head sizes are of each kernel, and between. */
const cudaShapes = () =>
  [
    [4, 2, 16],
    [3, 3, 48],
    [8, 1, 64],
    [2, 1, 128],
    [2, 1, 192],
  ].map(([heads, kvHeads, size]) =>
    shape(heads!, kvHeads!, size!, { format: 'bf16', interleaved: size !== 64 }),
  );
const BF16_TOLERANCE = 2e-2;

describe.each(devices)('attention on $name', ({ path, isCuda }) => {
  const format = isCuda ? 'bf16' : 'f32';
  const tolerance = isCuda ? BF16_TOLERANCE : 3e-6;

  // One token; a partial tile; a tile; past a tile; a span and one more; two groups would be 4096 and more.
  test.each([
    [1, 1],
    [7, 7],
    [32, 1],
    [33, 5],
    [257, 3],
    [600, 40],
  ])('equals the float64 reference for %d tokens, %d rows', (tokens, rows) => {
    for (const c of isCuda ? cudaShapes() : shapes()) {
      const one = context(tokens, rows, c, new Random(tokens + rows));
      expect(largestError(testing.attention(path, 2, c, [one]), reference(c, one))).toBeLessThan(
        tolerance,
      );
    }
  });

  // A window of one key; inside a tile; across tiles; across spans; longer than the context.
  test.each([1, 5, 40, 300, 1000])('equals the reference with a window of %d keys', (window) => {
    for (const c of [
      shape(4, 2, 16, { window, format }),
      shape(3, 3, 48, { window, format, parallelism: 64 }),
    ]) {
      const one = context(600, 70, c, new Random(window));
      expect(largestError(testing.attention(path, 2, c, [one]), reference(c, one))).toBeLessThan(
        tolerance,
      );
    }
  });

  test('equals the reference across a group of spans', () => {
    const c = shape(1, 1, 16, { format });
    const one = context(4100, 2, c, new Random(11));
    expect(largestError(testing.attention(path, 1, c, [one]), reference(c, one))).toBeLessThan(
      tolerance,
    );
  });

  test('bf16 keys and values cost their rounding, and no more', () => {
    const c = shape(4, 2, 64, { format: 'bf16' });
    const one = context(300, 3, c, new Random(12));
    expect(largestError(testing.attention(path, 2, c, [one]), reference(c, one))).toBeLessThan(
      BF16_TOLERANCE,
    );
  });

  const kept = (isCuda ? (['bf16'] as const) : (['f32', 'bf16'] as const)).flatMap((each) => [
    [each, 0] as const,
    [each, 333] as const,
  ]);
  test.each(kept)(
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

/** A random tree: each context begins as an earlier one does, up to anywhere. */
const branches = fc.array(
  fc.record({
    parent: fc.nat({ max: 7 }),
    shared: fc.oneof(
      fc.integer({ min: 0, max: 900 }),
      fc.constantFrom(31, 32, 33, 255, 256, 257, 512, 544),
    ),
    own: fc.integer({ min: 1, max: 80 }),
    rows: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 40 })),
  }),
  { minLength: 2, maxLength: 16 },
);

describe.each(devices)('shared prefixes on $name', ({ path, isCuda }) => {
  test.each([
    ['bf16', 3, 64, 0],
    [isCuda ? 'bf16' : 'f32', 1, 16, 0],
    ['bf16', 1, 48, 300],
    ['bf16', 8, isCuda ? 128 : 10, 0],
  ] as const)(
    'a row has the same bits whether its prefix is read together or not: %s, %d heads per KV head of %d, window %d',
    (kept, group, headDim, window) => {
      const c = shape(2 * group, 2, headDim, { format: kept, window });
      const random = new Random(21);
      const width = c.kvHeads * headDim;
      const noise = context(2000, 1, c, random);
      fc.assert(
        fc.property(branches, fc.constantFrom(1, 2, 16), (tree, parallelism) => {
          const contexts: AttentionContext[] = [];
          for (const { parent, shared, own, rows } of tree) {
            const before = contexts.length > 0 ? parent % contexts.length : -1;
            const other = contexts[before];
            const common = other ? Math.min(shared, other.k.length / width - other.rows) : shared;
            const tokens = common + own + rows;
            const at = width * Math.floor(900 * random.next());
            const made: AttentionContext = {
              k: noise.k.slice(at, at + tokens * width),
              v: noise.v.slice(at, at + tokens * width),
              q: random.normals(rows * c.heads * headDim),
              rows,
            };
            if (other) {
              made.k.set(other.k.subarray(0, common * width));
              made.v.set(other.v.subarray(0, common * width));
              made.shares = { context: before, tokens: common };
            }
            contexts.push(made);
          }
          const together = testing.attention(path, 2, { ...c, parallelism }, contexts);
          const apart = testing.attention(path, 1, { ...c, grouped: false }, contexts);
          expect(together.every((value, i) => Object.is(value, apart[i]))).toBe(true);
          const last = contexts.at(-1)!;
          const alone = testing.attention(path, 1, c, [{ ...last, shares: undefined }] as never);
          expect(alone.every((value, i) => Object.is(value, together.at(i - alone.length)))).toBe(
            true,
          );
        }),
        { numRuns: path === 'portable' || isCuda ? 2 : 6 },
      );
    },
  );

  // 16 and 32 queries fill registers of the kernel for many; 9, 10, 26 and 27 lie at its limits.
  test.each([1, 9, 10, 15, 16, 17, 26, 27, 31, 32, 33, 63, 64, 100])(
    'any number of queries gives the bits of one: %d',
    (n) => {
      const c = shape(1, 1, 32, { format: 'bf16' });
      const random = new Random(n);
      const first = context(300, 1, c, random);
      const contexts = Array.from({ length: n }, (_, i) =>
        i === 0
          ? first
          : { ...first, q: random.normals(c.headDim), shares: { context: 0, tokens: 288 } },
      );
      const together = testing.attention(path, 1, c, contexts);
      contexts.forEach(({ k, v, q, rows }, i) => {
        const alone = testing.attention(path, 1, c, [{ k, v, q, rows }]);
        expect(together.slice(i * c.headDim, (i + 1) * c.headDim)).toEqual(alone);
      });
    },
  );
});
