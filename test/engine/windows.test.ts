/** Windows of a sequence: the first positions and the last ones (StreamingLLM). And what memory they need. */
import type { LoadOptions } from '../../lib/index.js';
import { Random } from '../random.js';
import { forwardEdited } from '../reference/forward.js';
import type { NativeClient } from '../testing/native-client.js';
import { nativeEdit, referenceEdit } from '../testing/seeded-edit.js';
import { bitsOf, errorOf, places, tinyEngines } from '../testing/tiny-engines.js';

const random = new Random(18);
const textOf = (n: number) => Array.from({ length: n }, () => 3 + random.below(300));

interface Window {
  sinks: number;
  size: number;
}

describe.each(places)('on $name', (place) => {
  const { isGpu, tolerance } = place;
  const { modelOf, load } = tinyEngines(place);

  const ask = (
    client: NativeClient,
    tokens: readonly number[],
    window?: Window,
    maxTokens = 20,
    edits = [] as ReturnType<typeof nativeEdit>[],
  ) => client.submit({ tokens, maxTokens, edits, ...(window && { window }) });

  test.each([
    [{ sinks: 4, size: 20 }, {}],
    [{ sinks: 0, size: 33 }, {}],
    [{ sinks: 40, size: 8 }, {}],
    [{ sinks: 64, size: 1 }, {}],
    [
      { sinks: 5, size: 20 },
      { architecture: 'mistral', window: 30 },
    ],
  ] as const)('%j: as the float64 reference has it', async (window, tiny) => {
    const client = await load({}, tiny);
    const text = textOf(100);
    const given = await client.logits(text, { window });
    const model = await modelOf(tiny);
    const error = errorOf(given, forwardEdited(model, text, [], window));
    expect(error).toBeLessThan(tolerance);
    const other = { ...window, size: window.size + 1 };
    expect(errorOf(given, forwardEdited(model, text, [], other))).toBeGreaterThan(2 * error);
  });

  test('rows whose window reaches back to the sinks have the plain bits', async () => {
    const client = await load();
    const text = textOf(100);
    const first40 = async (window: Window) => (await client.logits(text, { window })).slice(0, 40);
    const plain = await first40({ sinks: 0, size: 0 });
    expect(await first40({ sinks: 8, size: 32 })).toEqual(plain);
    expect(await first40({ sinks: 8, size: 31 })).not.toEqual(plain);
  });

  test('one that the context never leaves is none: the plain bits, and the plain cache', async () => {
    const client = await load({ contextLength: 256 });
    const text = textOf(90);
    const plain = await ask(client, text);
    const wide = await ask(client, text, { sinks: 6, size: 251 });
    expect(bitsOf(wide)).toEqual(bitsOf(plain));
    expect(wide.finish.cachedTokens).toBe(89);
    const narrow = await ask(client, text, { sinks: 6, size: 20 });
    expect(bitsOf(narrow)).not.toEqual(bitsOf(plain));
    expect(narrow.finish.cachedTokens).toBe(0); // an exact request never reads such keys, nor it those
    expect(bitsOf(await ask(client, text))).toEqual(bitsOf(plain));
  });

  test('the same bits in any company, in any chunks, warm and cold, edited or not', async () => {
    const doc = textOf(100);
    const asks = Array.from({ length: 12 }, (_, i) => ({
      tokens: [...doc.slice(0, i % 3 === 2 ? 70 : 100), ...textOf(1 + i)],
      window: [
        { sinks: 4, size: 40 },
        { sinks: 4, size: 40 },
        { sinks: 0, size: 64 },
        { sinks: 80, size: 9 },
      ][i % 4]!,
      edits: i % 5 === 0 ? [nativeEdit(60, { seed: 5, keep: 500, merge: 300 })] : [],
    }));
    const alone = await load({ prefixCache: false });
    const wanted: unknown[] = [];
    for (const { tokens, window, edits } of asks)
      wanted.push(bitsOf(await ask(alone, tokens, window, 20, edits)));
    const others: LoadOptions[] = isGpu
      ? [{ stepTokens: 40 }]
      : [
          { threads: 1 },
          { threads: 2, sharedReads: 'never' },
          ...[1, 7, 64].map((stepTokens) => ({ stepTokens })),
        ];
    for (const more of others) {
      const client = await load(more);
      const company = () =>
        Promise.all(
          asks.map(({ tokens, window, edits }) => ask(client, tokens, window, 20, edits)),
        );
      expect((await company()).map(bitsOf)).toEqual(wanted);
      expect((await company()).map(bitsOf)).toEqual(wanted); // warm
    }
  }, 120_000);

  test('an edit below a window: as the float64 reference has it', async () => {
    const client = await load();
    const text = textOf(90);
    const window = { sinks: 6, size: 40 };
    const seeded = { seed: 5, keep: 500, merge: 300 };
    const given = await client.logits(text, { window, edits: [nativeEdit(64, seeded)] }, 25);
    const model = await modelOf({});
    const wanted = forwardEdited(model, text, [referenceEdit(64, seeded)], window).slice(65);
    expect(errorOf(given, wanted)).toBeLessThan(tolerance);
  });

  test.each([
    ['a window of its own', {}, { sinks: 5, size: 60 }, 42, 1500],
    ['a model with a window', { architecture: 'mistral', window: 50 }, undefined, 5, 400],
  ] as const)(
    '%s: a text far longer than the memory, in the same bits',
    async (_name, tiny, window, nSlabs, nTokens) => {
      const [prompt, n] = [textOf(45), isGpu ? 120 : nTokens];
      const roomy = await load({}, tiny);
      const wanted = await ask(roomy, prompt, window, n);
      expect(wanted.tokens).toHaveLength(n);
      const slab = 32 * roomy.kvBytesPerToken;
      const memory = { bytes: nSlabs * slab };
      const tight = await load({ kv: memory }, tiny);
      expect(bitsOf(await ask(tight, prompt, window, n))).toEqual(bitsOf(wanted));
      expect(tight.stats().kvBytesInUse).toBeLessThanOrEqual(nSlabs * slab);
      // Two at once, and again after what they left.
      const [one, two] = await Promise.all([
        ask(tight, prompt, window, n),
        ask(tight, prompt.slice(5), window, n),
      ]);
      expect(bitsOf(one)).toEqual(bitsOf(wanted));
      expect(bitsOf(two)).toEqual(bitsOf(await ask(roomy, prompt.slice(5), window, n)));
      if (isGpu && window) return; // too short a text to fill the memory
      // Without a window there is no memory for it, or the context is full.
      const plain = await load({ kv: memory });
      expect((await ask(plain, prompt, undefined, n)).tokens.length).toBeLessThan(n);
    },
  );

  test('behind two cuts of its text: as the float64 reference has it, and from its first row on', async () => {
    const client = await load({}, { shape: { layers: 1 } });
    const window = { sinks: 3, size: 40 };
    const text = textOf(620); // cut after 64 tokens, and 512 later
    const given = await client.logits(text, { window });
    const wanted = forwardEdited(await modelOf({ shape: { layers: 1 } }), text, [], window);
    const last = (rows: readonly Iterable<number>[]) => rows.slice(-40);
    expect(errorOf(last(given), last(wanted))).toBeLessThan(tolerance);
    const middle = (rows: readonly Iterable<number>[]) => rows.slice(60, 140);
    expect(errorOf(middle(given), middle(wanted))).toBeLessThan(tolerance);
  });

  test('what cannot be is refused', async () => {
    const client = await load();
    const codeOf = (window: Window) =>
      ask(client, textOf(10), window).then(
        () => 'taken',
        (error: unknown) => (error as { code?: string }).code ?? String(error),
      );
    for (const window of [
      { sinks: -1, size: 5 },
      { sinks: 0, size: -5 },
      { sinks: 4, size: 0 },
      { sinks: 1 << 30, size: 5 },
      { sinks: 0, size: 1 << 30 },
      { sinks: 0.5, size: 5 },
    ])
      expect(await codeOf(window)).toBe('invalid_argument');
  });
});
