/** Contexts that are edited on the way: docs/decisions/0025. The policy keeps what a seed says. */
import type { LoadOptions } from '../../lib/index.js';
import { Random } from '../random.js';
import { forwardEdited } from '../reference/forward.js';
import type { EditedHead, KeptKey } from '../reference/forward.js';
import type { NativeClient } from '../testing/native-client.js';
import { nativeEdit, referenceEdit } from '../testing/seeded-edit.js';
import type { Seeded } from '../testing/seeded-edit.js';
import { bitsOf, errorOf, places, tinyEngines } from '../testing/tiny-engines.js';

const random = new Random(17);
const textOf = (n: number) => Array.from({ length: n }, () => 3 + random.below(300));

type Edit = readonly [index: number, seeded: Seeded];
const HALF: Seeded = { seed: 1, keep: 500, merge: 0 };
const MERGED: Seeded = { seed: 2, keep: 300, merge: 500 };
const NEUTRAL: Seeded = { seed: 3, keep: 1000, merge: 0 };
const NOTHING: Seeded = { seed: 4, keep: 0, merge: 0 };
const nativeOf = (edits: readonly Edit[]) => edits.map((edit) => nativeEdit(...edit));

describe.each(places)('on $name', (place) => {
  const { isGpu, tolerance } = place;
  const { modelOf, load } = tinyEngines(place);

  const generate = (
    client: NativeClient,
    tokens: readonly number[],
    edits: readonly Edit[],
    maxTokens = 20,
  ) => client.submit({ tokens, edits: nativeOf(edits), maxTokens });
  test.each([
    ['one edit', {}, [[50, HALF]]],
    ['keys that become one', {}, [[70, MERGED]]],
    ['an edit that leaves nothing', {}, [[40, NOTHING]]],
    [
      'three, each of what the one before left',
      {},
      [
        [33, MERGED],
        [64, HALF],
        [75, { ...MERGED, seed: 9 }],
      ],
    ],
    ['with a window', { architecture: 'mistral', window: 30 }, [[60, MERGED]]],
  ] as const)('%s: as the float64 reference has it', async (_name, tiny, edits) => {
    const client = await load({}, tiny);
    const text = textOf(80);
    const n = text.length - edits.at(-1)![0];
    const given = await client.logits(text, { edits: nativeOf(edits) }, n);
    const model = await modelOf(tiny);
    const wantedOf = (of: readonly Edit[]) =>
      forwardEdited(
        model,
        text,
        of.map((edit) => referenceEdit(...edit)),
      ).slice(-n);
    const error = errorOf(given, wantedOf(edits));
    expect(error).toBeLessThan(tolerance);
    // Another seed would show.
    const [last, seeded] = edits.at(-1)!;
    const other: Edit[] = [...edits.slice(0, -1), [last, { ...seeded, seed: 77, keep: 400 }]];
    expect(errorOf(given, wantedOf(other))).toBeGreaterThan(2 * error);
  });

  test('a neutral edit is none: the plain bits, and the plain cache', async () => {
    const client = await load();
    const text = textOf(90);
    const plain = await generate(client, text, []);
    const neutral = await generate(client, text, [
      [40, NEUTRAL],
      [95, NEUTRAL],
    ]);
    expect(bitsOf(neutral)).toEqual(bitsOf(plain));
    expect(neutral.finish.cachedTokens).toBe(89);
    // Beside one that is none: it does not matter where.
    const edits: Edit[] = [[50, HALF]];
    const edited = await generate(client, text, edits);
    const both = await generate(client, text, [[20, NEUTRAL], ...edits, [60, NEUTRAL]]);
    expect(bitsOf(both)).toEqual(bitsOf(edited));
  });

  test('an edit leaves the bits of all others as they are', async () => {
    const client = await load();
    const text = textOf(90);
    const plain = bitsOf(await generate(client, text, []));
    const edited = await generate(client, text, [[60, HALF]]);
    expect(bitsOf(edited)).not.toEqual(plain);
    expect(bitsOf(await generate(client, text, []))).toEqual(plain);
  });

  test('the same bits in any company, in any chunks, warm and cold', async () => {
    const doc = textOf(100);
    const asks = Array.from({ length: 16 }, (_, i) => ({
      tokens: [...doc.slice(0, i % 4 === 3 ? 70 : 100), ...textOf(1 + i)],
      edits: [
        [[64, MERGED]],
        [[100, HALF]],
        [
          [64, MERGED],
          [100, HALF],
        ],
        // While it generates, too.
        [
          [64, MERGED],
          [70 + 1 + i, HALF],
          [70 + 9 + i, MERGED],
        ],
      ][i % 4] as unknown as Edit[],
    }));
    const alone = await load({ prefixCache: false });
    const wanted: unknown[] = [];
    for (const { tokens, edits } of asks) wanted.push(bitsOf(await generate(alone, tokens, edits)));
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
        Promise.all(asks.map(({ tokens, edits }) => generate(client, tokens, edits)));
      expect((await company()).map(bitsOf)).toEqual(wanted);
      expect((await company()).map(bitsOf)).toEqual(wanted); // warm
      client.clearCache();
      for (const i of [5, 3]) {
        const { tokens, edits } = asks[i]!;
        expect(bitsOf(await generate(client, tokens, edits))).toEqual(wanted[i]);
      }
    }
  }, 120_000);

  test('with memory for few of them: preempted, computed again, and nothing is left over', async () => {
    const doc = textOf(90);
    const asks = Array.from({ length: 6 }, (_, i) => ({
      tokens: [...doc.slice(0, 60 + 5 * i), ...textOf(2)],
      edits: [
        [32, MERGED],
        [60 + 5 * i, HALF],
        [60 + 5 * i + 12, MERGED],
      ] as Edit[],
    }));
    const roomy = await load();
    const wanted = await Promise.all(
      asks.map(({ tokens, edits }) => generate(roomy, tokens, edits, 40)),
    );
    expect(wanted.every(({ finish }) => finish.reason === 'length')).toBe(true);
    const slab = 32 * roomy.kvBytesPerToken;
    for (const slabs of [6, 8, 9, 12]) {
      const client = await load({ kv: { bytes: slabs * slab } });
      const answers = await Promise.all(
        asks.map(({ tokens, edits }) => generate(client, tokens, edits, 40)),
      );
      expect(answers.map(bitsOf)).toEqual(wanted.map(bitsOf));
      // What is left is cache alone: that of the last request, when all else is gone.
      client.clearCache();
      await generate(client, textOf(3), [], 1);
      expect(client.stats().kvBytesInUse).toBe(slab);
    }
  });

  test('without memory for a text and what is left of it, the request is refused', async () => {
    const client = await load({ kv: { bytes: 4 * 32 * (await load()).kvBytesPerToken } });
    const whole: Seeded = { seed: 1, keep: 999, merge: 0 };
    const { finish } = await generate(client, textOf(110), [[96, whole]]);
    expect([finish.reason, finish.errorCode]).toEqual(['error', 'kv_budget_exceeded']);
    const after = await generate(client, textOf(20), []);
    expect(after.finish.reason).toBe('length');
  });

  test('a pinned context that is edited is not edited again by those who use it', async () => {
    const client = await load();
    const doc = textOf(100);
    const edits: Edit[] = [[96, HALF]];
    const pinned = await client.submit({
      kind: 'prefill',
      tokens: doc,
      edits: nativeOf(edits),
      pin: 7,
      maxTokens: 0,
    });
    expect(pinned.finish.reason).toBe('done');
    // Of the pinned context there is what the edit has left, in blocks of 32 keys, cut from slabs; and a slab of cache.
    client.clearCache();
    await generate(client, textOf(3), [], 1);
    const { shape, headDim } = await modelOf({});
    const block = 32 * headDim * 2 * (isGpu ? 2 : 4) + 256;
    const perSlab = Math.floor((32 * client.kvBytesPerToken) / block);
    const keys = Array.from({ length: 96 }, (_, position) => ({ position })) as KeptKey[];
    const heads = Array.from({ length: shape.layers * shape.kvHeads }, () => ({
      keys,
    })) as unknown as EditedHead[];
    const blocks = referenceEdit(96, HALF)
      .edit(heads)
      .map((left) => Math.ceil(left.length / 32));
    const slabs = Math.ceil(blocks.reduce((a, b) => a + b, 0) / perSlab);
    expect(client.stats().kvBytesInUse).toBe((slabs + 1) * 32 * client.kvBytesPerToken);
    const answer = await generate(client, [...doc, ...textOf(3)], edits);
    expect(answer.finish.reason).toBe('length');
    client.unpin(7);
    client.clearCache();
    const again = await load();
    expect(bitsOf(await generate(again, [...doc, 5, 6], edits))).toEqual(
      bitsOf(await generate(client, [...doc, 5, 6], edits)),
    );
  });

  test('what cannot be is refused', async () => {
    const client = await load();
    const text = textOf(40);
    const codeOf = (request: Parameters<NativeClient['submit']>[0]) =>
      client.submit(request).then(
        () => 'taken',
        (error: unknown) => (error as { code?: string }).code ?? String(error),
      );
    const at = (...indices: number[]) => indices.map((index) => nativeEdit(index, HALF));
    const bad = { ...nativeEdit(9, HALF), options: Int32Array.of(1, 900, 200) };
    for (const edits of [
      at(0),
      at(-1),
      at(9, 9),
      at(20, 10),
      at(1 << 20),
      at(...Array.from({ length: 4097 }, (_, i) => i + 1)),
      [{ ...nativeEdit(9, HALF), policy: 'none such' }],
      [{ ...nativeEdit(9, HALF), options: new Int32Array(0) }],
      [bad],
    ])
      expect(await codeOf({ tokens: text, edits })).toBe('invalid_argument');
    const edits = at(20);
    for (const from of [1, 20])
      expect(await codeOf({ tokens: text, edits, kind: 'score', from })).toBe('invalid_argument');
    const rows = Int32Array.of(19, 30);
    expect(await codeOf({ tokens: text, edits, kind: 'logits', rows })).toBe('invalid_argument');
    const preamble = { parts: [{ tokens: Int32Array.of(4), first: 0, shift: 0 }], position: 1 };
    expect(await codeOf({ tokens: text, edits, preamble })).toBe('invalid_argument');
    expect(await codeOf({ tokens: text, edits: 3 as never })).toBe('invalid_argument');
  });
});
