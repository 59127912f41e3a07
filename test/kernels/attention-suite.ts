/** The properties of attention's kernels, on every device. `npm test` runs it over a small grid, `npm run test:all` over the whole. */
import fc from 'fast-check';

import { Random } from '../random.js';
import { devices, testing } from '../testing.js';
import type { AttentionContext } from '../testing/attention.js';
import { context, expectAttention, same, seeded, shape } from './attention-cases.js';

/** [heads, KV heads, head size] */
type Heads = readonly [number, number, number];

export interface AttentionGrid {
  /** [tokens, rows] */
  lengths: readonly (readonly [number, number])[];
  windows: readonly number[];
  /** A GPU has kernels for some head sizes, and keeps bf16 only. */
  heads: { cpu: readonly Heads[]; cuda: readonly Heads[] };
  /** [parallelism, threads] of a plan that must change no bit. */
  cuts: readonly (readonly [number, number])[];
  /** Random trees of shared prefixes, for each kind of heads: on vector paths, and where a step is slow. */
  trees: { fast: number; slow: number };
  /** How many queries share a context. */
  queries: readonly number[];
}

export function describeAttention(grid: AttentionGrid): void {
  describe.each(devices)('attention on $name', ({ path, isCuda }) => {
    const formats = isCuda ? (['bf16'] as const) : (['f32', 'bf16'] as const);
    const heads = isCuda ? grid.heads.cuda : grid.heads.cpu;

    describe.each(formats)('%s', (format) => {
      test.each(grid.lengths)('equals float64 for %d tokens, %d rows', (tokens, rows) => {
        for (const [h, g, size] of heads) {
          // A pair of a rotation is two neighbours, or two halves.
          const c = shape(h, g, size, { format, interleaved: size !== 10 && size !== 64 });
          const { one, wanted } = seeded(c, tokens, rows);
          expectAttention(testing.attention(path, 2, c, [one]), wanted);
        }
      });

      test.each(grid.windows)('equals float64 with a window of %d keys', (window) => {
        for (const [h, g, size, parallelism] of [
          [4, 2, 16, 1],
          [3, 3, 48, 64],
        ] as const) {
          const c = shape(h, g, size, { window, format, parallelism });
          const { one, wanted } = seeded(c, 600, 40);
          expectAttention(testing.attention(path, 2, c, [one]), wanted);
        }
      });

      test('equals float64 across a group of spans', () => {
        const c = shape(4, 1, 16, { format });
        const { one, wanted } = seeded(c, 4128, 2);
        expectAttention(testing.attention(path, 1, c, [one]), wanted);
      });

      test.each([0, 333])(
        'window %d: a row has the same bits however work is cut and whoever is beside it',
        (window) => {
          const c = shape(6, 2, 32, { format, window });
          const random = new Random(13);
          const long = context(1500, 3, c, random);
          const short = context(70, 70, c, random);
          const width = c.heads * c.headDim;
          const together = testing.attention(path, 1, c, [long, short]);
          for (const [parallelism, threads] of grid.cuts) {
            const cut = testing.attention(path, threads, { ...c, parallelism }, [long, short]);
            expect(same(cut, together)).toBe(true);
          }
          expect(testing.attention(path, 1, c, [long])).toEqual(together.slice(0, 3 * width));
          // The last row alone, as decoding would compute it.
          const last = { ...short, q: short.q.slice(69 * width), rows: 1 };
          expect(testing.attention(path, 1, c, [last])).toEqual(together.slice(-width));
        },
      );
    });

    test.each([
      ['bf16', 3, 64, 0],
      [isCuda ? 'bf16' : 'f32', 1, 16, 0],
      ['bf16', 1, 48, 300],
      ['bf16', 8, isCuda ? 128 : 10, 0],
    ] as const)(
      'a row has the same bits whether its prefix is read together or not: %s, %d heads per KV head of %d, window %d',
      (format, group, headDim, window) => {
        const c = shape(2 * group, 2, headDim, { format, window });
        const random = new Random(21);
        const noise = context(2000, 1, c, random);
        fc.assert(
          fc.property(branches, fc.constantFrom(1, 2, 16), (tree, parallelism) => {
            const contexts = grow(tree, noise, c.kvHeads * headDim, c.heads * headDim, random);
            const together = testing.attention(path, 2, { ...c, parallelism }, contexts);
            const apart = testing.attention(path, 1, { ...c, grouped: false }, contexts);
            expect(same(together, apart)).toBe(true);
            const { k, v, q, rows } = contexts.at(-1)!;
            const alone = testing.attention(path, 1, c, [{ k, v, q, rows }]);
            expect(same(alone, together.slice(-alone.length))).toBe(true);
          }),
          { numRuns: path === 'portable' || isCuda ? grid.trees.slow : grid.trees.fast },
        );
      },
    );

    test.each(grid.queries)('any number of queries gives the bits of one: %d', (n) => {
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
    });
  });
}

interface Branch {
  parent: number;
  shared: number;
  own: number;
  rows: number;
}

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

/** The contexts of a tree, cut out of `noise`; `width` numbers of keys and `queryWidth` of queries stand for a token. */
function grow(
  tree: readonly Branch[],
  noise: AttentionContext,
  width: number,
  queryWidth: number,
  random: Random,
): AttentionContext[] {
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
      q: random.normals(rows * queryWidth),
      rows,
    };
    if (other) {
      made.k.set(other.k.subarray(0, common * width));
      made.v.set(other.v.subarray(0, common * width));
      made.shares = { context: before, tokens: common };
    }
    contexts.push(made);
  }
  return contexts;
}
