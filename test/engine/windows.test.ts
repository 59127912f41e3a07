/** Windows of a sequence: the first positions and the last ones (StreamingLLM). And what memory they need. */
import type { LoadOptions } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyModel, TinyOptions } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import { forwardEdited } from '../reference/forward.js';
import { emulatedLibrary, paths } from '../testing.js';
import { NativeClient } from '../testing/native-client.js';
import type { Answer } from '../testing/native-client.js';
import { nativeEdit, referenceEdit } from '../testing/seeded-edit.js';

const random = new Random(18);
const textOf = (n: number) => Array.from({ length: n }, () => 3 + random.below(300));

interface Window {
  sinks: number;
  size: number;
}

const places = [
  ...paths.map((name) => ({ name, format: 'f32' as const, options: { instructions: name } })),
  ...(emulatedLibrary === undefined
    ? []
    : [{ name: 'emulated cuda', format: 'bf16' as const, options: { device: 'cuda' } }]),
];
/** What f32 and bf16 KV may cost. */
const TOLERANCE = { f32: 2e-5, bf16: 2e-2 };

describe.each(places)('on $name', ({ format, options }) => {
  const isGpu = format === 'bf16';
  const models = new Map<string, Promise<TinyModel>>();
  const clients: NativeClient[] = [];
  const modelOf = (tiny: TinyOptions) => {
    const key = JSON.stringify(tiny);
    if (!models.has(key)) models.set(key, writeTinyModel(tiny));
    return models.get(key)!;
  };
  const load = async (more: LoadOptions = {}, tiny: TinyOptions = {}) => {
    const { path } = await modelOf(tiny);
    const given = {
      kv: { format },
      checkInvariants: !isGpu,
      sharedReads: 'always', // nothing is measured
      ...options,
      ...more,
    } as LoadOptions;
    const client = await NativeClient.load(path, given);
    clients.push(client);
    return client;
  };
  afterEach(() => Promise.all(clients.splice(0).map((client) => client.dispose())));

  const ask = (
    client: NativeClient,
    tokens: readonly number[],
    window?: Window,
    maxTokens = 20,
    edits = [] as ReturnType<typeof nativeEdit>[],
  ) => client.submit({ tokens, maxTokens, edits, ...(window && { window }) });
  const bitsOf = ({ tokens, logprobs, finish }: Answer) => [
    finish.reason,
    ...tokens,
    ...Float32Array.from(logprobs),
  ];
  const logitsOf = async (
    client: NativeClient,
    tokens: number[],
    rows: number[],
    window: Window,
  ) => {
    const { finish } = await client.submit({
      kind: 'logits',
      tokens,
      rows: Int32Array.from(rows),
      window,
    });
    if (finish.reason !== 'done') throw new Error(`${finish.errorCode}: ${finish.errorMessage}`);
    return finish.values;
  };

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
    const rows = text.map((_, i) => i);
    const given = await logitsOf(client, text, rows, window);
    const model = await modelOf(tiny);
    const errorOf = (wanted: Float64Array[]) => {
      const all = wanted.flatMap((row) => [...row]);
      const largest = Math.max(...all.map(Math.abs));
      return (
        all.reduce((most, value, i) => Math.max(most, Math.abs(value - given[i]!)), 0) / largest
      );
    };
    const error = errorOf(forwardEdited(model, text, [], window));
    expect(error).toBeLessThan(TOLERANCE[format]);
    const other = { ...window, size: window.size + 1 };
    expect(errorOf(forwardEdited(model, text, [], other))).toBeGreaterThan(2 * error);
  });

  test('rows whose window reaches back to the sinks have the plain bits', async () => {
    const client = await load();
    const text = textOf(100);
    const rows = Array.from({ length: 40 }, (_, i) => i);
    const plain = await logitsOf(client, text, rows, { sinks: 0, size: 0 });
    expect(await logitsOf(client, text, rows, { sinks: 8, size: 32 })).toEqual(plain);
    expect(await logitsOf(client, text, rows, { sinks: 8, size: 31 })).not.toEqual(plain);
  });

  test('one that the context never leaves is none: the plain bits, and the plain cache', async () => {
    const client = await load({ contextLength: 256 });
    const text = textOf(90);
    const plain = await ask(client, text);
    const wide = await ask(client, text, { sinks: 6, size: 250 });
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
    const rows = Int32Array.from({ length: 25 }, (_, i) => 65 + i);
    const { finish } = await client.submit({
      kind: 'logits',
      tokens: text,
      rows,
      window,
      edits: [nativeEdit(64, seeded)],
    });
    const model = await modelOf({});
    const wanted = forwardEdited(model, text, [referenceEdit(64, seeded)], window)
      .slice(65)
      .flatMap((row) => [...row]);
    const largest = Math.max(...wanted.map(Math.abs));
    const error = Math.max(...wanted.map((value, i) => Math.abs(value - finish.values[i]!)));
    expect(error / largest).toBeLessThan(TOLERANCE[format]);
  });

  test.each([
    ['a window of its own', {}, { sinks: 5, size: 60 }],
    ['a model with a window', { architecture: 'mistral', window: 50 }, undefined],
  ] as const)(
    '%s: a text far longer than the memory, in the same bits',
    async (_name, tiny, window) => {
      const [prompt, n] = [textOf(45), isGpu ? 120 : 400];
      const roomy = await load({}, tiny);
      const wanted = await ask(roomy, prompt, window, n);
      expect(wanted.tokens).toHaveLength(n);
      const slab = 32 * roomy.kvBytesPerToken;
      const memory = { format, bytes: 5 * slab };
      const tight = await load({ kv: memory }, tiny);
      expect(bitsOf(await ask(tight, prompt, window, n))).toEqual(bitsOf(wanted));
      expect(tight.stats().kvBytesInUse).toBeLessThanOrEqual(5 * slab);
      // Two at once, and again after what they left.
      const [one, two] = await Promise.all([
        ask(tight, prompt, window, n),
        ask(tight, prompt.slice(5), window, n),
      ]);
      expect(bitsOf(one)).toEqual(bitsOf(wanted));
      expect(bitsOf(two)).toEqual(bitsOf(await ask(roomy, prompt.slice(5), window, n)));
      // Without a window there is no memory for it.
      const plain = await load({ kv: memory });
      const { finish } = await ask(plain, prompt, undefined, n);
      expect(finish.errorCode).toBe('kv_budget_exceeded');
    },
  );

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
