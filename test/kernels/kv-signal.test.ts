import { Random } from '../random.js';
import { attentionSums, likeCentres, norm, seldomCounts } from '../reference/kv-signal.js';
import type { SignalKey, SignalRow } from '../reference/kv-signal.js';
import { devices } from '../testing.js';
import type { KvAttentionCase, KvSignalCase } from '../testing/attention.js';
import { contextOf, planesOf } from './kv-signal-context.js';
import type { SignalContext } from './kv-signal-context.js';
import { expectClose } from './close.js';
import { shapeOf } from './kv-store.js';

interface Reading {
  rows: number;
  /** Query heads for each KV head. */
  group?: number;
  window?: number;
  /** Of the first row, from the text's first token; the rows are the last ones if it is not given. */
  from?: number;
  /** Tokens from one row to the next. */
  stride?: number;
}

/** Seeded queries that read a context. */
function attentionCase(context: SignalContext, reading: Reading): KvSignalCase & KvAttentionCase {
  const { shape, where } = context;
  const { rows, group = 1, window = 0, stride = 1 } = reading;
  const { from = where.tokens - 1 - (rows - 1) * stride } = reading;
  const heads = shape.kvHeads * group;
  const queries = new Random(7).normals(shape.layers * rows * heads * shape.headDim);
  const firstRow = where.firstIndex + from;
  const signal = 'attention';
  return { ...where, signal, queries, heads, rows, rowStride: stride, firstRow, window };
}

/** What the reference makes of it, for each (layer, head). */
function expectedOf<Numbers>(
  { shape, keys }: SignalContext,
  asked: KvAttentionCase,
  of: (keys: readonly SignalKey[], rows: readonly SignalRow[], window: number) => Numbers,
): Numbers[] {
  const { kvHeads, headDim } = shape;
  const group = asked.heads / kvHeads;
  return keys.map((head, number) => {
    const rows = Array.from({ length: asked.rows }, (_, row) => ({
      index: asked.firstRow + row * asked.rowStride,
      queries: Array.from({ length: group }, (__, i) => {
        const layer = Math.floor(number / kvHeads);
        const query = (layer * asked.rows + row) * asked.heads + (number % kvHeads) * group + i;
        return asked.queries.subarray(query * headDim, (query + 1) * headDim);
      }),
    }));
    return of(head, rows, asked.window);
  });
}

function sumsOf(context: SignalContext, reading: Reading): Float32Array[] {
  const out = context.kv.signal(attentionCase(context, reading));
  return planesOf(context, out).map(([sums]) => sums!);
}

function expectSums(context: SignalContext, reading: Reading, tolerance: number): void {
  const expected = expectedOf(context, attentionCase(context, reading), attentionSums);
  sumsOf(context, reading).forEach((sums, head) => expectClose(sums, expected[head]!, tolerance));
}

/** Similarities equal the best ones, and the centres that are named are as like as they say. */
function expectMatches(context: SignalContext, match: readonly number[]): void {
  const [first, last, chunk, stride] = match as [number, number, number, number];
  const out = context.kv.signal({ ...context.where, signal: 'match', match: [...match] });
  planesOf(context, out, 2).forEach(([similarities, centres], head) => {
    const keys = context.keys[head]!.map(({ key }) => key);
    likeCentres(keys, { first, last, chunk, stride }).forEach((like, key) => {
      const got = { similarity: similarities![key]!, centre: centres![key]! };
      if (like.size === 0) return expect(got).toEqual({ similarity: -2, centre: -1 });
      const best = Math.max(...like.values());
      expect([...like.keys()]).toContain(got.centre);
      expect(Math.abs(got.similarity - best)).toBeLessThan(SIMILARITY);
      expect(like.get(got.centre)!).toBeGreaterThan(best - SIMILARITY);
    });
  });
}

// Stored keys are exactly the reference's, so what is left is f32's own rounding.
const [SUM, NORM, SIMILARITY] = [2e-5, 4e-6, 4e-6];

describe.each(devices)('kv_signal on $name', ({ path, isCuda }) => {
  describe.each(isCuda ? (['bf16'] as const) : (['f32', 'bf16'] as const))('%s', (format) => {
    const shape = shapeOf(format);

    test.each<[string, number, boolean, Reading]>([
      ['one row of one key', 1, false, { rows: 1 }],
      ['31 keys', 31, false, { rows: 3, group: 3 }],
      ['all rows of a text', 32, false, { rows: 32 }],
      ['an edited table before the text', 33, true, { rows: 5 }],
      ['more queries than are read together', 100, true, { rows: 20, group: 3 }],
      ['rows of the middle', 100, true, { rows: 9, group: 3, from: 11 }],
      ['a window inside the text', 100, true, { rows: 9, group: 3, window: 40 }],
      ['a window that begins in the edited table', 33, true, { rows: 6, window: 50 }],
      ['a window of one', 40, true, { rows: 35, group: 3, window: 1 }],
      ['rows that read no key', 32, false, { rows: 8, group: 3, from: -4 }],
      ['every fourth row', 100, true, { rows: 12, group: 3, stride: 4 }],
      ['rows of tokens of the edited table', 1, true, { rows: 30, from: -40 }],
    ])('attention: %s', (_, tokens, edited, reading) => {
      expectSums(contextOf(path, shape, { tokens, edited }), reading, SUM);
    });

    test.each<[string, number, boolean, Reading]>([
      ['a text', 70, false, { rows: 9, group: 3 }],
      ['an edited table before it, and a window', 70, true, { rows: 12, stride: 4, window: 50 }],
      ['a row that reads one key', 1, false, { rows: 1 }],
    ])('seldom: %s', (_, tokens, edited, reading) => {
      const context = contextOf(path, shape, { tokens, edited });
      const asked = { ...attentionCase(context, reading), signal: 'seldom' } as const;
      const expected = expectedOf(context, asked, seldomCounts);
      const given = planesOf(context, context.kv.signal(asked)).map(([counts]) => counts!);
      expect(given.map((counts) => [...counts])).toEqual(expected);
    });

    test('attention: heads of another size, and keys as they are rotated', () => {
      const wide = shapeOf(format, { headDim: 128, kvHeads: 1 });
      const positionOf = (token: number) => 3 * token;
      const context = contextOf(path, wide, { tokens: 70, edited: true, positionOf });
      // An angle that is a bit off can round a key to bf16's other neighbour.
      expectSums(context, { rows: 4, group: 3 }, format === 'bf16' ? 0.02 : 2e-4);
    });

    test('attention: the same bits with any number of threads, and again', () => {
      const reading = { rows: 21, group: 3 };
      const [one, two] = [1, 2].map((threads) =>
        contextOf(path, shape, { tokens: 100, edited: true, threads }),
      );
      const sums = sumsOf(one!, reading);
      expect(sumsOf(two!, reading)).toEqual(sums);
      expect(sumsOf(two!, reading)).toEqual(sums);
    });

    test('attention: a query of NaN gives NaN to the keys that it reads, and to no other', () => {
      const context = contextOf(path, shape, { tokens: 40, edited: true });
      const asked = attentionCase(context, { rows: 6, group: 3, window: 50 });
      const before = planesOf(context, context.kv.signal(asked));
      const [layer, row, head] = [1, 2, 4]; // one of KV head 1
      const at = ((layer * asked.rows + row) * asked.heads + head) * shape.headDim;
      asked.queries.fill(NaN, at, at + shape.headDim);
      const index = asked.firstRow + row;
      planesOf(context, context.kv.signal(asked)).forEach(([sums], number) => {
        if (number !== layer * shape.kvHeads + 1) return expect(sums).toEqual(before[number]![0]);
        context.keys[number]!.forEach((key, i) =>
          expect(Number.isNaN(sums![i])).toBe(key.index <= index && key.index > index - 50),
        );
      });
    });

    test.each([
      [1, false],
      [32, true],
      [70, true],
    ])('norms of %d keys: after edited ones %s', (tokens, edited) => {
      const context = contextOf(path, shape, { tokens, edited, zeros: [0] });
      const out = context.kv.signal({ ...context.where, signal: 'norm' });
      planesOf(context, out).forEach(([norms], head) => {
        const expected = context.keys[head]!.map(({ key }) => norm(key));
        expectClose(norms!, expected, NORM);
      });
    });

    // first, last, chunk, stride
    test.each<[string, number, number[]]>([
      ['one chunk of all', 100, [0, 0, 200, 2]],
      ['chunks that end inside a tile', 100, [0, 0, 40, 3]],
      ['a stride that does not divide a chunk', 100, [0, 0, 37, 5]],
      ['the first and the last keys are left', 100, [5, 9, 50, 2]],
      ['fewer keys than a stride', 4, [0, 0, 100, 5]],
      ['a chunk without a centre at the end', 33, [0, 0, 31, 3]],
      ['all keys are left', 20, [0, 200, 10, 2]],
      ['the first key after all', 20, [500, 0, 10, 2]],
    ])('matches: %s', (_, tokens, match) => {
      expectMatches(contextOf(path, shape, { tokens }), match);
      expectMatches(contextOf(path, shape, { tokens, edited: true }), match);
    });

    test('matches: a key without a length is like none', () => {
      const zeros = [0, 1, 10, 63]; // of which two are centres
      expectMatches(contextOf(path, shape, { tokens: 64, zeros }), [0, 0, 64, 2]);
    });
  });
});
