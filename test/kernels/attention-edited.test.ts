/** Attention over edited parts: each head holds keys of its own, which may stand for several tokens. */
import { Random } from '../random.js';
import { devices, testing } from '../testing.js';
import type { AttentionCase, AttentionContext, EditedKey } from '../testing/attention.js';
import { context, expectAttention, expectNear, same } from './attention-cases.js';
import { editedContexts, expectedOfLast, keptKeys } from './attention-edited-cases.js';
import type { EditedCase } from './attention-edited-cases.js';
import { partsShape } from './attention-parts-cases.js';

const TOKENS = 700;

/** Keys that three heads keep. */
const KEPT = [
  [1, 31, 32],
  [33, 300, 64],
  [0, 700, 257],
  [0, 0, 0],
] as const;

/** Parallelism, threads, and whether parts are read together: must change no bit. */
const CUTS = [
  [1, 2, true],
  [3, 1, true],
  [64, 2, true],
  [1, 1, false],
  [64, 1, false],
] as const;

const lastRows = (out: Float32Array, { rows }: AttentionContext, c: AttentionCase) =>
  out.slice(out.length - rows * c.heads * c.headDim);

describe.each(devices)('attention over edited parts on $name', ({ path, isCuda }) => {
  const formats = isCuda ? (['bf16'] as const) : (['f32', 'bf16'] as const);
  const outOfLast = (c: AttentionCase, contexts: AttentionContext[]) =>
    lastRows(testing.attention(path, 2, c, contexts), contexts.at(-1)!, c);

  describe.each(formats)('%s', (format) => {
    const c = partsShape([6, 3, 32], { format });
    const expectParts = (given: AttentionCase, parts: readonly EditedCase[], rows = 7) => {
      const { contexts, wanted } = editedContexts(given, parts, 40, rows);
      expectAttention(outOfLast(given, contexts), wanted);
    };

    test.each(KEPT)('equals float64 where heads keep %d, %d and %d keys', (...keys) => {
      for (const rows of [1, 7, 40]) expectParts(c, [{ tokens: TOKENS, keys }], rows);
    });

    test.each(KEPT)('so it does with log-weights, on %d, %d and %d keys', (...keys) => {
      for (const rows of [1, 40]) expectParts(c, [{ tokens: TOKENS, keys, weights: 'some' }], rows);
    });

    test.each([1, 12, 40])('and with log-weights from -Infinity to 20, for %d rows', (rows) => {
      const keys = [33, 300, 64];
      const given = [{ tokens: TOKENS, keys, weights: 'extreme' as const }];
      const { contexts, wanted } = editedContexts(c, given, 40, rows);
      expectNear(outOfLast(c, contexts), wanted);
    });

    test('heads of other sizes', () => {
      for (const heads of [
        [4, 2, 16],
        [3, 1, 64],
        [2, 1, 128],
        [2, 1, 256],
      ] as const) {
        const keys = [70, 3].slice(0, heads[1]);
        for (const rows of [1, 20])
          expectParts(
            partsShape(heads, { format }),
            [{ tokens: 200, keys, weights: 'some' }],
            rows,
          );
      }
    });

    test.each([10, 60, 300, 650])(
      'a window of %d keys counts the tokens that the keys were',
      (window) => {
        const windowed = partsShape([6, 3, 32], { format, window });
        const given = [{ tokens: TOKENS, keys: [500, 31, 257], weights: 'some' as const }];
        const { contexts, wanted } = editedContexts(windowed, given, 40, 7);
        expectNear(outOfLast(windowed, contexts), wanted);
      },
    );

    test.each([0.5, 2])('scores of a part over a temperature of %d', (temperature) => {
      expectParts(c, [
        { tokens: 100, keys: null, temperature },
        { tokens: 90, keys: [70, 5, 90], weights: 'some', temperature: 1.5 },
      ]);
    });

    test.each([122, 125, 150])('queries that stand no further than %d', (lastPosition) => {
      expectParts(c, [
        { tokens: 33, keys: null, lastPosition },
        { tokens: 90, keys: [70, 5, 90], lastPosition },
      ]);
    });

    test.each([0.5, 0.9, 1.2])('blends whose factor is %d', (lseFactor) => {
      const of = (blend: number, tokens: number) => ({ tokens, keys: null, blend, lseFactor });
      expectParts(c, [of(0, 100), of(0, 70)]);
      expectParts(c, [of(0, 33), { tokens: 70, keys: [70, 3, 40], weights: 'some' }, of(1, 64)]);
      expectParts(c, [{ tokens: 40, keys: null }, of(0, 33), of(1, 70), of(1, 40)]);
      // Two span groups, whose tiles count for little each.
      const long = editedContexts(c, [of(0, 4200), { tokens: 70, keys: null }], 40, 1);
      expectNear(outOfLast(c, long.contexts), long.wanted);
    });

    test('keys that are masked for all rows count nothing, alone and beside others', () => {
      const absent = (n: number, all: number) =>
        keptKeys(all, n, 'none', new Random(n)).map((key) => ({ ...key, weight: -Infinity }));
      const { contexts } = editedContexts(c, [{ tokens: 90, keys: [33, 40, 70] }], 40, 20);
      const one = contexts.at(-1)!;
      const edit: EditedKey[][] = [33, 40, 70].map((n) => absent(n, 90));
      const masked = { ...one, before: [{ ...one.before![0]!, edit }] };
      const apart = outOfLast(c, [contexts[0]!, masked]);
      expect(same(apart, outOfLast(c, [{ ...one, before: [] }]))).toBe(true);
    });

    test('n equal keys merged with log2 n count as much as they did', () => {
      const { contexts } = editedContexts(c, [{ tokens: 96, keys: [48, 48, 48] }], 40, 20);
      const [donor, one] = [contexts[0]!, contexts.at(-1)!];
      // Tokens 3i + 1 and 3i + 2 are those of 3i; keys are equal where they are rotated alike, so none is rotated.
      const width = c.kvHeads * c.headDim;
      for (const array of [donor.k, donor.v])
        for (let i = 0; i < 96; i += 3)
          for (const j of [1, 2]) array.copyWithin((i + j) * width, i * width, (i + 1) * width);
      const still = { ...c, cosines: c.cosines.map(() => 1), sines: c.sines.map(() => 0) };
      const third = (i: number) => [3 * i, 3 * i + 1, 3 * i + 2];
      const merged = Array.from({ length: 32 }, (_, i) => ({
        tokens: third(i),
        weight: Math.fround(Math.log2(3)),
      }));
      const with_ = (edit?: EditedKey[][]) => {
        const { context: donated, first, end, shift } = one.before![0]!;
        const part = { context: donated, first, end, shift };
        return { ...one, before: [{ ...part, ...(edit === undefined ? {} : { edit }) }] };
      };
      const apart = outOfLast(still, [donor, with_()]);
      const together = outOfLast(still, [donor, with_([merged, merged, merged])]);
      const tolerance = format === 'bf16' ? 0.02 : 1e-5;
      apart.forEach((value, i) => expect(Math.abs(value - together[i]!)).toBeLessThan(tolerance));
    });

    test('means of unequal keys equal float64', () => {
      const { contexts } = editedContexts(c, [{ tokens: 90, keys: [30, 30, 30] }], 40, 20);
      const [donor, one] = [contexts[0]!, contexts.at(-1)!];
      const edit = [1, 3, 7].map((n) =>
        Array.from({ length: Math.floor(90 / n) }, (_, i) => ({
          tokens: Array.from({ length: n }, (__, j) => n * i + j),
          weight: Math.fround(Math.log2(n)),
        })),
      );
      const merged = { ...one, before: [{ ...one.before![0]!, edit }] };
      expectAttention(outOfLast(c, [donor, merged]), expectedOfLast(c, [donor, merged]));
    });

    test('neutral values give the bits of the plain part', () => {
      for (const tokens of [1, 33, 300, 4200]) {
        const whole = [tokens, tokens, tokens];
        for (const rows of tokens > 1000 ? [1] : [1, 20]) {
          const { contexts } = editedContexts(
            c,
            [{ tokens, keys: whole, weights: 'none' }],
            40,
            rows,
          );
          const [donor, one] = [contexts[0]!, contexts.at(-1)!];
          const { edit, ...part } = one.before![0]!;
          const plain = outOfLast(c, [donor, { ...one, before: [part] }]);
          const neutral = { temperature: 1, lastPosition: 10_000, blend: 3, lseFactor: 1 };
          for (const before of [
            { ...part, edit: edit! },
            { ...part, ...neutral },
            { ...part, edit: edit!, ...neutral },
          ])
            expect(same(outOfLast(c, [donor, { ...one, before: [before] }]), plain)).toBe(true);
        }
      }
    });

    test.each([0, 120])(
      'window %d: the same bits however work is cut and whoever is beside it',
      (window) => {
        const windowed = partsShape([6, 3, 32], { format, window });
        const parts: readonly EditedCase[] = [
          { tokens: 400, keys: [300, 0, 33], weights: 'extreme', blend: 1, lseFactor: 0.8 },
          { tokens: 100, keys: null, temperature: 0.7, blend: 1 },
          { tokens: 90, keys: [5, 90, 64], weights: 'some', lastPosition: 600 },
        ];
        const { contexts } = editedContexts(windowed, parts, 45, 20);
        const [donors, one] = [contexts.slice(0, 3), contexts.at(-1)!];
        const random = new Random(5);
        const other = (own: number, rows: number, n: number) => ({
          ...context(own, rows, windowed, random),
          position: one.position!,
          before: one.before!.slice(n).map((part, i) => ({ ...part, sameAs: [3, n + i] })),
        });
        const readers = [one, other(33, 1, 0), other(20, 7, 1), other(40, 33, 2)];
        const together = testing.attention(path, 1, windowed, [...donors, ...readers]);
        for (const [parallelism, threads, grouped] of CUTS) {
          const cut = { ...windowed, parallelism, grouped };
          const out = testing.attention(path, threads, cut, [...donors, ...readers]);
          expect(same(out, together)).toBe(true);
        }
        let begin = donors.length * windowed.heads * windowed.headDim;
        for (const reader of readers) {
          const before = reader.before!.map((part) => ({ ...part, sameAs: undefined }));
          const alone = outOfLast(windowed, [...donors, { ...reader, before }]);
          expect(same(alone, together.slice(begin, (begin += alone.length)))).toBe(true);
        }
        expect(begin).toBe(together.length);
      },
    );
  });
});
