/** Parts of other texts before a text: docs/decisions/0020. */
import type { LoadOptions } from '../../lib/index.js';
import type { TinyOptions } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import { forwardAfter } from '../reference/forward.js';
import type { Preamble } from '../testing/native-client.js';
import { bitsOf, errorOf, places, tinyEngines } from '../testing/tiny-engines.js';

const random = new Random(20);
const textOf = (n: number) => Array.from({ length: n }, () => 3 + random.below(300));

interface Part {
  tokens: readonly number[];
  first?: number;
  shift: number;
  under?: Preamble;
}
/** Unless it is given, the position is right after the last part. */
function preambleOf(parts: Part[], position?: number): Preamble {
  const ends = parts.map(
    ({ tokens, shift, under }) => (under?.position ?? 0) + tokens.length + shift,
  );
  return {
    parts: parts.map(({ tokens, first = 0, ...rest }) => ({
      tokens: Int32Array.from(tokens),
      first,
      ...rest,
    })),
    position: position ?? Math.max(0, ...ends),
  };
}
const referenceOf = ({ parts, position }: Preamble): Parameters<typeof forwardAfter>[1] => ({
  position,
  parts: parts.map(({ tokens, under, ...part }) => ({
    ...part,
    tokens: [...tokens],
    ...(under && { under: referenceOf(under) }),
  })),
});

/** Parts of texts that were computed apart, anywhere, before position 0, too. */
function randomPreamble(n: number): Preamble {
  const parts = Array.from({ length: n }, (): Part => {
    const tokens = textOf(1 + random.below(70));
    return { tokens, first: random.below(tokens.length), shift: random.below(90) - 45 };
  });
  return preambleOf(parts);
}

describe.each(places)('on $name', (place) => {
  const { isGpu, tolerance } = place;
  const { modelOf, load } = tinyEngines(place);

  const one: TinyOptions = { shape: { layers: 1 } };
  const windowed: TinyOptions = { architecture: 'mistral', window: 40 };

  test.each([
    ['one part', {}, 1],
    ['three parts', {}, 3],
    ['five parts, a window', windowed, 5],
  ] as const)('%s: as the float64 reference has it', async (_name, tiny, n) => {
    const client = await load({}, tiny);
    const preamble = randomPreamble(n);
    const text = textOf(12);
    const logits = await client.logits(text, { preamble });
    const model = await modelOf(tiny);
    const error = errorOf(logits, forwardAfter(model, referenceOf(preamble), text));
    expect(error).toBeLessThan(tolerance);
    // A wrong shift would show.
    const wrong = structuredClone(preamble);
    for (const part of wrong.parts) part.shift -= 5;
    const planted = errorOf(logits, forwardAfter(model, referenceOf(wrong), text));
    expect(planted).toBeGreaterThan(2 * error);
  });

  test('a text below a preamble is a part of another', async () => {
    const client = await load();
    const inner = preambleOf([{ tokens: textOf(40), first: 3, shift: -3 }]);
    const outer = preambleOf([
      { tokens: textOf(9), shift: 0 },
      { tokens: textOf(45), first: 2, shift: 20, under: inner },
    ]);
    const text = textOf(6);
    const logits = await client.logits(text, { preamble: outer });
    const expected = forwardAfter(await modelOf({}), referenceOf(outer), text);
    expect(errorOf(logits, expected)).toBeLessThan(tolerance);
  });

  test.each([0, 7, 60, -5, -33])(
    'in a model of one layer, a context moved by %d is what it would be if it were computed there',
    async (shift) => {
      const client = await load({}, one);
      const [a, text] = [textOf(50), textOf(10)];
      const home = preambleOf([], Math.max(0, -shift)); // it was computed from here
      const there = preambleOf([], home.position + shift);
      const moved = await client.logits(text, {
        preamble: preambleOf([{ tokens: a, shift, under: home }]),
      });
      const computed = (await client.logits([...a, ...text], { preamble: there })).slice(a.length);
      expect(errorOf(moved, computed)).toBeLessThan(tolerance);
    },
  );

  test.each([1, 31, 32, 100])(
    'the beginning of a text of %d tokens, unmoved, is no part but that text: the plain bits, found in the tree',
    async (n) => {
      const client = await load();
      const [a, text] = [textOf(n), textOf(5)];
      const expected = await client.submit({ tokens: [...a, ...text] });
      client.clearCache();
      await client.submit({ kind: 'prefill', tokens: a });
      const cut = Math.floor(n / 2);
      for (const parts of [
        [{ tokens: a, shift: 0 }],
        [
          { tokens: a.slice(0, cut), shift: 0 },
          { tokens: a, first: cut, shift: 0 },
        ],
      ]) {
        const answer = await client.submit({ tokens: text, preamble: preambleOf(parts) });
        expect(bitsOf(answer)).toEqual(bitsOf(expected));
        expect(answer.finish.cachedTokens).toBeGreaterThanOrEqual(n);
        expect(answer.finish.promptTokens).toBe(n + text.length);
      }
    },
  );

  test('kept as a part, it agrees to rounding', async () => {
    const client = await load({}, {}, { keepParts: true });
    const [a, text] = [textOf(75), textOf(5)];
    const apart = await client.logits(text, { preamble: preambleOf([{ tokens: a, shift: 0 }]) });
    const plain = (await client.logits([...a, ...text])).slice(a.length);
    expect(errorOf(apart, plain)).toBeLessThan(tolerance);
    expect(apart).not.toEqual(plain); // it was a part indeed
  });

  if (!isGpu)
    test('kept as a part of 4096 tokens, it has the plain bits', async () => {
      const long: TinyOptions = {
        shape: { layers: 1, width: 32, ffn: 32, heads: 2, kvHeads: 1, context: 5000 },
      };
      const client = await load({ stepTokens: 512 }, long, { keepParts: true });
      const [a, text] = [textOf(4096), textOf(40)];
      const apart = await client.submit({
        tokens: text,
        preamble: preambleOf([{ tokens: a, shift: 0 }]),
      });
      const plain = await client.submit({ tokens: [...a, ...text] });
      expect(bitsOf(apart)).toEqual(bitsOf(plain));
      const odd = await client.logits(text, {
        preamble: preambleOf([{ tokens: a.slice(1), shift: 0 }]),
      });
      const other = (await client.logits([...a.slice(1), ...text])).slice(4095);
      expect(odd).not.toEqual(other); // with one token less it has others
    });

  test('the same bits in any company: chunks, threads, batches, shared and apart, [a, b] beside [b, a], evicted and computed again', async () => {
    const texts = [textOf(66), textOf(33), textOf(40)] as const;
    const [a, b, c] = texts.map((tokens, i): Part => ({ tokens, first: 3 * i, shift: 9 * i - 11 }));
    const contexts = [
      ...Array.from({ length: isGpu ? 2 : 5 }, (_, i) => randomPreamble(i + 1)),
      preambleOf([a!, b!]),
      preambleOf([b!, a!]),
      preambleOf([a!, b!, c!], 120),
      preambleOf([a!, a!]),
    ];
    const requests = contexts.flatMap((preamble) =>
      [textOf(5), textOf(40)].map((tokens) => ({ tokens, preamble, maxTokens: 3 })),
    );
    const plain = await load({ threads: 1 });
    const expected = [];
    for (const request of requests) {
      plain.clearCache();
      expected.push(bitsOf(await plain.submit(request)));
    }
    expect(expected[10]).not.toEqual(expected[12]);
    const slab = 32 * 2 * 2 * 32 * (isGpu ? 2 : 4) * 2;
    const ways: LoadOptions[] = isGpu
      ? [{ sharedReads: 'always' }]
      : [
          { threads: 2, sharedReads: 'always' },
          { threads: 2, sharedReads: 'never', stepTokens: 64 },
          { threads: 1, sharedReads: 'always', stepTokens: 7 },
          { stepTokens: 1 },
          { sharedReads: 'always', kv: { bytes: 24 * slab } },
        ];
    for (const way of ways) {
      const client = await load(way);
      for (let turn = 0; turn < 2; turn++) {
        const answers = await Promise.all(requests.map((request) => client.submit(request)));
        expect(answers.map(bitsOf)).toEqual(expected);
      }
    }
  });

  test('texts below a preamble share with each other, and leave its texts as they were', async () => {
    const client = await load();
    const a = textOf(70);
    const before = await client.submit({ tokens: a, maxTokens: 5 });
    const preamble = preambleOf([{ tokens: a, first: 5, shift: 30 }]);
    const text = textOf(64);
    const first = await client.submit({ tokens: [...text, 5], preamble });
    expect(first.finish.promptTokens).toBe(65 + 65);
    expect(first.finish.cachedTokens).toBe(65);
    const second = await client.submit({ tokens: [...text, 6], preamble });
    expect(second.finish.cachedTokens).toBe(65 + 64);
    const other = await client.submit({ tokens: [...text, 6], preamble, namespace: 'other' });
    expect(other.finish.cachedTokens).toBe(0);
    expect(bitsOf(other)).toEqual(bitsOf(second));
    expect(bitsOf(await client.submit({ tokens: a, maxTokens: 5 }))).toEqual(bitsOf(before));
  });

  test('a pinned text below a preamble stays, and so does what it stands on', async () => {
    const client = await load();
    const preamble = preambleOf([{ tokens: textOf(50), first: 1, shift: 3 }]);
    const tokens = textOf(64);
    await client.submit({ kind: 'prefill', tokens, preamble, pin: 7 });
    client.clearCache();
    const found = await client.submit({ tokens: [...tokens, 9], preamble });
    expect(found.finish.cachedTokens).toBeGreaterThanOrEqual(64 + 32 - 1);
    client.unpin(7);
    client.clearCache();
    const gone = await client.submit({ tokens: [...tokens, 9], preamble });
    expect(gone.finish.cachedTokens).toBe(0);
    expect(bitsOf(gone)).toEqual(bitsOf(found));
    client.clearCache();
    await client.submit({ tokens: [4], maxTokens: 1 });
    expect(client.stats().kvBytesInUse).toBeLessThan(client.stats().kvBytes / 4);
  });

  test('scores and rows of logits are of its own tokens, wherever the canonical form puts them', async () => {
    const client = await load();
    const [a, text] = [textOf(40), textOf(9)];
    for (const parts of [[{ tokens: a, shift: 0 }], [{ tokens: a, first: 2, shift: 4 }]]) {
      const preamble = preambleOf(parts);
      const score = await client.submit({ kind: 'score', tokens: text, preamble });
      expect(score.finish.values).toHaveLength(8);
      const logits = await client.logits(text, { preamble });
      const expected = logits.slice(0, -1).map((row, i) => logProbability(row, text[i + 1]!));
      score.finish.values.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i]!, 3);
      });
    }
  });
});

function logProbability(row: Float32Array, token: number): number {
  const largest = Math.max(...row);
  const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0);
  return row[token]! - largest - Math.log(sum);
}
