/** Attention over contexts of several parts: tokens of other contexts, read at other positions by rotating the query. */
import { Random } from '../random.js';
import { devices, testing } from '../testing.js';
import type { AttentionCase, AttentionContext, AttentionPart } from '../testing/attention.js';
import { context, expectAttention, same, seeded } from './attention-cases.js';
import { partsShape, seededParts } from './attention-parts-cases.js';
import type { PartsCase } from './attention-parts-cases.js';

const SPAN_GROUP = 4096; // keys of 16 spans

/** One to five parts. */
const CASES: readonly PartsCase[] = [
  { sealed: [], own: 70, rows: 7 },
  { sealed: [1], own: 1, rows: 1 },
  { sealed: [31], own: 33, rows: 7 },
  { sealed: [32, 33], own: 7, rows: 7 },
  { sealed: [300, 1, 31], own: 40, rows: 40 },
  { sealed: [33, 300, 32, 300], own: 50, rows: 7 },
  { sealed: [300, 33, 1, 31], own: 1, rows: 1 },
  { sealed: [5000], own: 20, rows: 1 },
  { sealed: [5000, 33, 31], own: 64, rows: 40 },
];

/** Windows that hold some of the last parts, and begin inside of one. */
const WINDOWED: readonly (readonly [number, PartsCase])[] = [
  [1, { sealed: [33, 31], own: 7, rows: 7, inOrder: true }],
  [40, { sealed: [300, 33, 1, 31], own: 40, rows: 40, inOrder: true }],
  [100, { sealed: [300, 31, 33, 32], own: 7, rows: 7, inOrder: true }],
  [400, { sealed: [300, 32, 300, 1], own: 50, rows: 1 }],
  [1000, { sealed: [5000, 33], own: 20, rows: 7, inOrder: true }],
];

/** Parallelism, threads, and whether parts are read together: must change no bit. */
const CUTS = [
  [1, 2, true],
  [3, 1, true],
  [64, 2, true],
  [1, 1, false],
  [3, 2, false],
  [64, 1, false],
] as const;

const HEADS = [
  [4, 2, 16],
  [3, 1, 64],
] as const;

/** The last rows of a result, which are those of its last context. */
const lastRows = (out: Float32Array, { rows }: AttentionContext, c: AttentionCase) =>
  out.slice(out.length - rows * c.heads * c.headDim);

describe.each(devices)('attention over parts on $name', ({ path, isCuda }) => {
  const formats = isCuda ? (['bf16'] as const) : (['f32', 'bf16'] as const);

  const expectParts = (c: AttentionCase, given: PartsCase) => {
    const { contexts, wanted } = seededParts(c, given);
    const out = testing.attention(path, 2, c, contexts);
    expectAttention(lastRows(out, contexts.at(-1)!, c), wanted);
  };

  describe.each(formats)('%s', (format) => {
    test.each(CASES)(
      'equals float64 after parts of $sealed tokens, with $own of its own, for $rows rows',
      (given) => {
        for (const heads of HEADS)
          expectParts(partsShape(heads, { format, interleaved: heads[2] === 16 }), given);
      },
    );

    test.each(WINDOWED)('equals float64 with a window of %d keys: %j', (window, given) => {
      for (const parallelism of [1, 64])
        expectParts(partsShape(HEADS[0], { format, window, parallelism }), given);
    });

    test.each([0, 700])(
      'window %d: a context has the same bits however work is cut and whoever is beside it',
      (window) => {
        const c = partsShape([6, 2, 32], { format, window });
        const { donors, readers } = readersOf(c);
        const contexts = [...donors, ...readers];
        const together = testing.attention(path, 1, c, contexts);
        for (const [parallelism, threads, grouped] of CUTS) {
          const cut = { ...c, parallelism, grouped };
          expect(same(testing.attention(path, threads, cut, contexts), together)).toBe(true);
        }
        // Each alone, beside those that hold its parts.
        let begin = donors.length * c.heads * c.headDim;
        for (const reader of readers) {
          const alone = lastRows(testing.attention(path, 1, c, [...donors, reader]), reader, c);
          expect(same(alone, together.slice(begin, (begin += alone.length)))).toBe(true);
        }
        expect(begin).toBe(together.length);
      },
    );

    test.each([0, 200])(
      'window %d: a first part of 4096 tokens where they were computed has the bits of the whole text',
      (window) => {
        const c = partsShape([4, 2, 16], { format, window });
        for (const rows of [1, 40]) {
          const text = context(SPAN_GROUP + 75, rows, c, new Random(rows));
          const out = testing.attention(path, 2, c, [text, split(text, SPAN_GROUP, c)]);
          expect(same(out.slice(out.length / 2), out.slice(0, out.length / 2))).toBe(true);
        }
      },
    );

    test.each([1, 31, 100, 256, 300])(
      'a first part of %d tokens where they were computed gives what the whole text gives',
      (tokens) => {
        const c = partsShape([4, 2, 16], { format });
        const { one: text, wanted } = seeded(c, 357, 40);
        const parted = split(text, tokens, c);
        const out = testing.attention(path, 2, c, [text, parted]);
        expectAttention(lastRows(out, parted, c), wanted);
      },
    );
  });
});

/** A context that reads the first tokens of the context before it as a sealed part, and has the rest of its text. */
function split(text: AttentionContext, tokens: number, c: AttentionCase): AttentionContext {
  const begin = tokens * c.kvHeads * c.headDim;
  return {
    ...text,
    k: text.k.slice(begin),
    v: text.v.slice(begin),
    position: tokens,
    before: [{ context: 0, first: 0, end: tokens, shift: 0 }],
  };
}

/** Two contexts, and some that read parts of them in many ways. */
function readersOf(c: AttentionCase): { donors: AttentionContext[]; readers: AttentionContext[] } {
  const random = new Random(31);
  const donors = [context(700, 1, c, random), context(330, 1, c, random)];
  const a = (position: number) => ({ context: 0, first: 0, end: 550, shift: position });
  const b = (position: number) => ({ context: 1, first: 37, end: 320, shift: position - 37 });
  const whole = (position: number) => ({ context: 1, first: 64, end: 320, shift: position - 64 });
  const reader = (own: number, rows: number, before: AttentionPart[]) => ({
    ...context(own, rows, c, random),
    position: 900,
    before,
  });
  return {
    donors,
    readers: [
      reader(20, 1, [a(0), b(550)]),
      reader(20, 1, [b(0), a(283)]),
      reader(45, 40, [a(0), b(550)]),
      reader(7, 7, [whole(0), whole(256), whole(600)]), // the same part three times
      reader(33, 3, [a(350), whole(350)]), // one beside the other
      reader(300, 2, [whole(-40), b(200), a(480)]), // the last one is not past for all
      reader(64, 33, []),
    ],
  };
}
