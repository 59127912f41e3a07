/** How parts are read: side by side, with a temperature and a scale (APE, arXiv 2502.05431). */
import { Random } from '../random.js';
import { forwardAfter } from '../reference/forward.js';
import type { Preamble } from '../testing/native-client.js';
import { bitsOf, errorOf, places, tinyEngines } from '../testing/tiny-engines.js';

const random = new Random(21);
const textOf = (n: number) => Array.from({ length: n }, () => 3 + random.below(300));

interface Reading {
  temperature: number;
  scale: number;
}

/** Texts that begin alike, side by side after what they have in common. */
function sideBySide(prefix: readonly number[], texts: readonly number[][], reading: Reading) {
  const common = { tokens: Int32Array.from(prefix), first: 0, shift: 0 };
  const parts = texts.map((text) => ({
    tokens: Int32Array.from([...prefix, ...text]),
    first: prefix.length,
    shift: 0,
    ...reading,
    blend: 0,
  }));
  const longest = Math.max(...texts.map((text) => text.length));
  return { parts: [common, ...parts], position: prefix.length + longest };
}

const referenceOf = (preamble: Preamble, reading: Reading) => ({
  position: preamble.position,
  parts: preamble.parts.map(({ tokens, first, shift, blend }) => ({
    tokens: [...tokens],
    first,
    shift,
    ...(blend === undefined ? {} : { reading }),
  })),
});

describe.each(places)('on $name', (place) => {
  const { isGpu, tolerance } = place;
  const { modelOf, load } = tinyEngines(place);

  test.each([
    [{ temperature: 0.9, scale: 0.9 }, 3],
    [{ temperature: 0.5, scale: 1 }, 2],
    [{ temperature: 1, scale: 0.6 }, 5],
    [{ temperature: 1, scale: 1 }, 3],
    [{ temperature: 1.5, scale: 0.8 }, 1],
  ])('%j, %d texts: as the float64 reference has it', async (reading, n) => {
    const client = await load();
    const texts = Array.from({ length: n }, () => textOf(20 + random.below(50)));
    const preamble = sideBySide(textOf(5), texts, reading);
    const text = textOf(10);
    const logits = await client.logits(text, { preamble });
    const model = await modelOf({});
    const error = errorOf(logits, forwardAfter(model, referenceOf(preamble, reading), text));
    expect(error).toBeLessThan(tolerance / Math.min(1, reading.temperature)); // it makes errors of scores larger, too
    for (const wrong of [
      { ...reading, temperature: reading.temperature * 1.6 },
      { ...reading, scale: reading.scale * 1.6 },
    ]) {
      const other = forwardAfter(model, referenceOf(preamble, wrong), text);
      expect(errorOf(logits, other)).toBeGreaterThan(2 * error);
    }
  });

  test('one text beside none, temperature 1 and scale 1: the plain bits, and the plain cache', async () => {
    const client = await load();
    const [prefix, a, text] = [textOf(1), textOf(66), textOf(5)];
    const plain = await client.submit({ tokens: [...prefix, ...a, ...text], maxTokens: 4 });
    const neutral = { temperature: 1, scale: 1 };
    const alone = await client.submit({
      tokens: text,
      preamble: sideBySide(prefix, [a], neutral),
      maxTokens: 4,
    });
    expect(bitsOf(alone)).toEqual(bitsOf(plain));
    expect(alone.finish.cachedTokens).toBe(67 + 4);
    expect(alone.finish.movedTokens).toBe(0);
    const warm = { temperature: 1.1, scale: 1 };
    const other = await client.submit({ tokens: text, preamble: sideBySide(prefix, [a], warm) });
    expect(other.finish.movedTokens).toBe(66);
    expect(other.finish.cachedTokens).toBeLessThan(67 + 4); // what is computed behind it is its own
  });

  test('the same bits in any company: other readings of the same texts, chunks, threads, warm and cold', async () => {
    const [prefix, a, b, c] = [textOf(4), textOf(70), textOf(33), textOf(64)];
    const readings = [
      { temperature: 0.9, scale: 0.9 },
      { temperature: 1, scale: 1 },
      { temperature: 0.9, scale: 0.7 },
    ];
    const requests = readings.flatMap((reading) =>
      [[a, b, c], [c, a], [b]].map((texts) => ({
        tokens: textOf(6),
        preamble: sideBySide(prefix, texts, reading),
        maxTokens: 3,
      })),
    );
    const alone = await load({ prefixCache: false });
    const wanted = [];
    for (const request of requests) wanted.push(bitsOf(await alone.submit(request)));
    for (const way of isGpu
      ? [{ sharedReads: 'always' as const }]
      : [
          { threads: 1, sharedReads: 'always' as const },
          { threads: 2, sharedReads: 'never' as const, stepTokens: 64 },
          { stepTokens: 7 },
        ]) {
      const client = await load(way);
      for (let turn = 0; turn < 2; turn++) {
        const answers = await Promise.all(requests.map((request) => client.submit(request)));
        expect(answers.map(bitsOf)).toEqual(wanted);
      }
    }
  });

  test('many preambles below one another: found at once, and not looked at again for each text that stands on them', async () => {
    const client = await load();
    let under: Preamble | undefined;
    const levels: Preamble[] = [];
    // Each stands on the one before it, through two texts.
    for (let i = 0; i < (isGpu ? 6 : 40); i++) {
      const below = under;
      const text = (n: number) => ({
        tokens: Int32Array.from(textOf(n)),
        first: 0,
        shift: 0,
        ...(below && { under: below }),
      });
      under = { parts: [text(3), text(2)], position: (below?.position ?? 0) + 3 };
      levels.push(under);
    }
    const ask = () => client.submit({ tokens: [5, 6], preamble: levels.at(-1)!, maxTokens: 2 });
    const [first, second] = [await ask(), await ask()];
    expect(bitsOf(second)).toEqual(bitsOf(first));
  });

  test('what cannot be is refused', async () => {
    const client = await load();
    const codeOf = (change: object) =>
      client
        .submit({
          tokens: [5],
          preamble: {
            parts: [{ tokens: Int32Array.of(4, 5), first: 0, shift: 0, ...change }],
            position: 2,
          },
        })
        .then(
          () => 'taken',
          (error: unknown) => (error as { code?: string }).code ?? String(error),
        );
    expect(await codeOf({})).toBe('taken');
    for (const change of [
      { temperature: 0 },
      { temperature: -1 },
      { temperature: Number.NaN },
      { scale: 0 },
      { scale: Number.POSITIVE_INFINITY },
      { blend: -2 },
      { first: 3 },
      { first: -1 },
      { shift: 1 },
    ])
      expect(await codeOf(change)).toBe('invalid_argument');
  });
});
