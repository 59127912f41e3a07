/** Guesses change how fast an answer comes, and no bit of it: tokens and log-probabilities are those of plain decoding. */
import type { NativeDraft, NativeRequest, NativeSampling } from '../../lib/native.js';
import { GREEDY } from '../../lib/options/sampling-options.js';
import type { TinyOptions } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import type { Answer, NativeClient } from '../testing/native-client.js';
import { bitsOf, places, tinyEngines } from '../testing/tiny-engines.js';

const random = new Random(22);
const textOf = (n: number) => Array.from({ length: n }, () => 3 + random.below(300));
const ALWAYS = { alwaysDrafts: true };

const NOTHING: NativeDraft = {
  lookup: false,
  recycle: false,
  trigram: false,
  jacobi: false,
  model: false,
  maxTokens: 8,
  prediction: new Int32Array(0),
};
const GUESSES: Record<string, NativeDraft> = {
  lookup: { ...NOTHING, lookup: true },
  recycle: { ...NOTHING, recycle: true },
  trigram: { ...NOTHING, trigram: true },
  jacobi: { ...NOTHING, jacobi: true },
  all: { ...NOTHING, lookup: true, recycle: true, trigram: true, jacobi: true },
  'one token ahead': { ...NOTHING, lookup: true, recycle: true, maxTokens: 1 },
};

/** Penalties and DRY look at the tokens before each one: those of a guess, too. */
const EDITED: NativeSampling = {
  ...GREEDY,
  temperature: 0.7,
  seed: 5,
  repetitionPenalty: 1.2,
  frequencyPenalty: 0.3,
  presencePenalty: 0.1,
  dryMultiplier: 0.5,
  topK: 40,
  topP: 0.95,
};
const SAMPLINGS: NativeSampling[] = [
  GREEDY,
  EDITED,
  { ...GREEDY, temperature: 1.5, seed: 6, topLogprobs: 3 },
  { ...GREEDY, repetitionPenalty: 1.5, penaltyWindow: 5 },
];

type Asked = Pick<NativeRequest, 'maxTokens' | 'sampling'> & { tokens: number[] };

/** Texts that begin alike and texts of their own, which repeat themselves: each with every way to draw. */
function requests(isGpu = false): Asked[] {
  const common = textOf(40);
  const piece = textOf(9);
  const texts = [
    [...common, ...textOf(5)],
    [...common, ...textOf(30)],
    [...piece, ...piece, ...piece],
    textOf(31),
  ];
  // The emulated GPU takes a second for a few tokens.
  return (isGpu ? texts.slice(1, 3) : texts).flatMap((tokens) =>
    (isGpu ? SAMPLINGS.slice(0, 2) : SAMPLINGS).map((sampling, i) => ({
      tokens,
      sampling,
      maxTokens: (isGpu ? 12 : 40) + i,
    })),
  );
}

const sum = (answers: readonly Answer[], what: 'proposed' | 'accepted') =>
  answers.reduce((total, { finish }) => total + finish.draft[what], 0);

describe.each(places)('on $name', (place) => {
  const { isGpu } = place;
  const { load, modelOf } = tinyEngines(place);

  const all = (client: NativeClient, asked: readonly Asked[], draft?: NativeDraft) =>
    Promise.all(asked.map((request) => client.submit({ ...request, ...(draft && { draft }) })));

  const guesses = Object.entries(GUESSES).filter(([name]) => !isGpu || /all|recycle/.test(name));
  test.each(guesses)(
    '%s: alone, then in a batch of 16, some of which guess nothing: plain bits',
    async (_, draft) => {
      const asked = requests(isGpu);
      const expected = (await all(await load(), asked)).map(bitsOf);
      const client = await load({}, {}, ALWAYS);
      const alone: Answer[] = [];
      for (const request of asked) alone.push(await client.submit({ ...request, draft }));
      expect(alone.map(bitsOf)).toEqual(expected);
      expect(sum(alone, 'proposed')).toBeGreaterThan(0);
      const batch = await Promise.all(
        asked.map((request, i) => client.submit({ ...request, ...(i % 3 < 2 && { draft }) })),
      );
      expect(batch.map(bitsOf)).toEqual(expected);
      expect(sum(batch, 'proposed')).toBeGreaterThan(0);
      expect(batch[2]!.finish.draft).toEqual({ proposed: 0, accepted: 0 });
    },
  );

  test('a draft model that is the model itself is nearly always right; another one is not; both keep the bits', async () => {
    const asked = requests(isGpu);
    const expected = (await all(await load(), asked)).map(bitsOf);
    const draft = { ...NOTHING, model: true };
    const share = async (tiny: TinyOptions) => {
      const { path: draftModel } = await modelOf(tiny);
      const client = await load({}, {}, { ...ALWAYS, draftModel });
      let accepted = 0;
      let proposed = 0;
      for (let i = 0; i < 2; i++) {
        const answers = await all(client, asked, draft);
        expect(answers.map(bitsOf)).toEqual(expected);
        accepted += sum(answers, 'accepted');
        proposed += sum(answers, 'proposed');
      }
      expect(proposed).toBeGreaterThan(0);
      const tokens = 2 * asked.reduce((total, { maxTokens }) => total + maxTokens, 0);
      return accepted / tokens;
    };
    expect(await share({})).toBeGreaterThan(0.6); // four of five tokens are guessed
    expect(await share({ seed: 9 })).toBeLessThan(0.4);
  });

  test('an answer that is expected takes few steps; one that is expected wrongly takes no more', async () => {
    const client = await load({}, {}, ALWAYS);
    const [request] = requests(isGpu);
    const plain = await client.submit(request!);
    const steps = () => client.stats().steps;
    const stepsOf = async (prediction: readonly number[]) => {
      const before = steps();
      const draft = { ...NOTHING, prediction: Int32Array.from(prediction) };
      const answer = await client.submit({ ...request!, draft });
      expect(bitsOf(answer)).toEqual(bitsOf(plain));
      return steps() - before;
    };
    const right = await stepsOf(plain.tokens);
    expect(right).toBeLessThanOrEqual(Math.ceil(plain.tokens.length / 9) + 1);
    const other = plain.tokens.map((token, i) => (i === 6 ? (token + 1) % 300 : token));
    expect(await stepsOf(other)).toBeLessThanOrEqual(right + 3);
    expect(await stepsOf(textOf(40))).toBeLessThanOrEqual(plain.tokens.length);
  });

  test.each(
    isGpu
      ? [{ stepTokens: 7 }]
      : [{ stepTokens: 7 }, { stepTokens: 64, threads: 1 }, { stepTokens: 16, threads: 2 }],
  )('%j: plain bits', async (options) => {
    const asked = requests(isGpu).slice(0, 8);
    const expected = (await all(await load(), asked)).map(bitsOf);
    const client = await load(options, {}, ALWAYS);
    for (let i = 0; i < 2; i++)
      expect((await all(client, asked, GUESSES.all)).map(bitsOf)).toEqual(expected);
  });

  if (isGpu) return;

  test('a model whose layers have windows; edits and windows of the context', async () => {
    const asked = requests(isGpu).slice(0, 4);
    const tiny = { architecture: 'mistral', window: 30 } as const;
    const expected = (await all(await load({}, tiny), asked)).map(bitsOf);
    const client = await load({}, tiny, ALWAYS);
    expect((await all(client, asked, GUESSES.all)).map(bitsOf)).toEqual(expected);
    const plain = await load({ contextLength: 256 });
    const guessing = await load({ contextLength: 256 }, {}, ALWAYS);
    const edits = [60, 75].map((index) => ({
      index,
      policy: 'seeded',
      options: Int32Array.of(1, 600, 100, 20),
    }));
    for (const more of [{ edits }, { window: { sinks: 4, size: 24 } }]) {
      const question = { tokens: textOf(50), maxTokens: 60, ...more };
      const wanted = bitsOf(await plain.submit(question));
      for (let i = 0; i < 2; i++)
        expect(bitsOf(await guessing.submit({ ...question, draft: GUESSES.all! }))).toEqual(wanted);
    }
  });

  test('with memory for few, one block from full: plain bits, and no more preemption', async () => {
    const asked = requests(isGpu);
    const plain = await load();
    const expected = (await all(plain, asked)).map(bitsOf);
    const bytes = plain.kvBytesPerToken * 32 * 11;
    const client = await load({ kv: { bytes } }, {}, ALWAYS);
    for (let i = 0; i < 2; i++)
      expect((await all(client, asked, GUESSES.all)).map(bitsOf)).toEqual(expected);
  });
});
