/** What each policy makes of a context is the same to the bit in any company; test/engine/policies.test.ts compares it with a reference. */
import type { LoadOptions } from '../../lib/index.js';
import { Random } from '../random.js';
import type { NativeClient } from '../testing/native-client.js';
import { budgetedOf, nativeEdit, razorOf } from '../testing/policy-edits.js';
import type { PolicyCase } from '../testing/policy-edits.js';
import { bitsOf, places, tinyEngines } from '../testing/tiny-engines.js';

const random = new Random(23);
const textOf = (n: number) => Array.from({ length: n }, () => 3 + random.below(300));

type Edit = readonly [index: number, of: PolicyCase];

interface Ask {
  tokens: readonly number[];
  edits: readonly Edit[];
}

const HEADS = 4;
const BUDGETED = budgetedOf(HEADS);
const guarded = { first: 2, last: 5 };
const halving: readonly (readonly [string, PolicyCase])[] = [
  ...Object.entries(BUDGETED).map(([name, of]) => [name, of({ share: 0.5, ...guarded })] as const),
  ['razor', razorOf(2, 5, HEADS)],
];

describe.each(places)('on $name', (place) => {
  const { isGpu } = place;
  const { load } = tinyEngines(place);

  const generate = (client: NativeClient, { tokens, edits }: Ask, maxTokens = 16) =>
    client.submit({ tokens, edits: edits.map((edit) => nativeEdit(...edit)), maxTokens });

  test('a budget of all keys is none: the plain bits, and the plain cache', async () => {
    const client = await load();
    const tokens = textOf(80);
    const n = isGpu ? 11 : 16;
    const plain = await generate(client, { tokens, edits: [] }, n);
    const neutral: Edit[] = [
      ...Object.values(BUDGETED).flatMap((of): Edit[] => [
        [40, of({ keys: 40, ...guarded })],
        [64, of({ keys: 1000, ...guarded })],
        [90, of({ share: 1, ...guarded })],
      ]),
      [40, { ...razorOf(36, 12, HEADS) }],
      [90, { ...razorOf(2, 5, HEADS), options: [2, 3, 5, 1, 1, 1, 1] }],
    ];
    for (const edit of neutral) {
      const given = await generate(client, { tokens, edits: [edit] }, n);
      expect([edit, bitsOf(given)]).toEqual([edit, bitsOf(plain)]);
      expect(given.finish.cachedTokens).toBe(79);
      expect(given.finish.kv).toEqual(plain.finish.kv);
    }
    expect(client.stats().kvBytesEdited).toBe(0);
  });

  test('what a context becomes leaves it as it was for all others', async () => {
    const client = await load();
    const tokens = textOf(90);
    const n = isGpu ? 5 : 16;
    const plain = bitsOf(await generate(client, { tokens, edits: [] }, n));
    for (const [name, of] of halving) {
      const edited = bitsOf(await generate(client, { tokens, edits: [[60, of]] }, n));
      expect([name, edited]).not.toEqual([name, plain]);
      const after = await generate(client, { tokens, edits: [] }, n);
      expect([name, bitsOf(after)]).toEqual([name, plain]);
      expect(after.finish.cachedTokens).toBe(89);
    }
  });

  test('the first and the last keys stay: with room for them alone, all policies are one', async () => {
    const client = await load();
    const tokens = textOf(70);
    const budget = { keys: 13, first: 4, last: 9 };
    const wanted = bitsOf(
      await generate(client, { tokens, edits: [[60, BUDGETED['recent']!(budget)]] }),
    );
    for (const [name, of] of Object.entries(BUDGETED)) {
      if (name.startsWith('chelsea')) continue; // it forgets nothing
      const given = await generate(client, { tokens, edits: [[60, of(budget)]] });
      expect([name, bitsOf(given)]).toEqual([name, wanted]);
    }
  });

  /** All policies: of a text that is shared, of a sequence's own, twice, and while it generates. */
  function asksOf(n: number): Ask[] {
    const doc = textOf(90);
    return Array.from({ length: n }, (_, i) => {
      const at = (k: number) => halving[(i + k) % halving.length]![1];
      const tokens = [...doc.slice(0, i % 3 === 2 ? 70 : 90), ...textOf(2 + (i % 5))];
      const later = tokens.length + 6 + (i % 3);
      const edits: Edit[][] = [
        [[64, at(0)]],
        [[tokens.length - 1, at(0)]],
        [
          [50, at(0)],
          [tokens.length, at(1)],
          [later, at(2)],
        ],
        [
          [64, halving[3]![1]], // several of the same
          [later, at(0)],
        ],
      ];
      return { tokens, edits: edits[i % edits.length]! };
    });
  }

  test('the same bits alone and in any company, in any chunks, warm and cold', async () => {
    const asks = asksOf(16);
    const alone = await load({ prefixCache: false });
    const wanted: unknown[] = [];
    for (const ask of asks) wanted.push(bitsOf(await generate(alone, ask)));
    expect(wanted.every((bits) => (bits as unknown[])[0] === 'length')).toBe(true);
    const others: LoadOptions[] = isGpu
      ? [{ stepTokens: 40 }]
      : [
          { threads: 1 },
          { threads: 2, sharedReads: 'never' },
          ...[1, 7, 64].map((stepTokens) => ({ stepTokens })),
        ];
    for (const more of others) {
      const client = await load(more);
      const company = () => Promise.all(asks.map((ask) => generate(client, ask)));
      expect((await company()).map(bitsOf)).toEqual(wanted);
      expect((await company()).map(bitsOf)).toEqual(wanted); // warm
      client.clearCache();
      for (const i of [6, 3, 11])
        expect(bitsOf(await generate(client, asks[i]!))).toEqual(wanted[i]);
    }
  }, 120_000);

  test('with memory for few of them: preempted, and made again in the same bits', async () => {
    const asks = asksOf(isGpu ? 5 : 10);
    const roomy = await load();
    const wanted = await Promise.all(asks.map((ask) => generate(roomy, ask, 30)));
    const slab = 32 * roomy.kvBytesPerToken;
    for (const slabs of isGpu ? [8] : [7, 8, 9, 11, 14]) {
      const client = await load({ kv: { bytes: slabs * slab } });
      const answers = await Promise.all(asks.map((ask) => generate(client, ask, 30)));
      expect(answers.map(bitsOf)).toEqual(wanted.map(bitsOf));
      expect(answers.map(({ finish }) => finish.kv)).toEqual(wanted.map(({ finish }) => finish.kv));
      client.clearCache();
      await generate(client, { tokens: textOf(3), edits: [] }, 1);
      expect(client.stats().kvBytesInUse).toBe(slab); // that of the last request
      expect(client.stats().kvBytesEdited).toBe(0);
    }
  });
});
