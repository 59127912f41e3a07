/** A drafter that reads a shorter context, and that the answer follows (RAPID): by how much, it is told; with nothing, no bit differs. */
import type { NativeDraft, NativeRequest, NativeSampling } from '../../lib/native.js';
import { GREEDY } from '../../lib/options/sampling-options.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyOptions } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import type { Answer, NativeClient } from '../testing/native-client.js';
import { bitsOf, places, tinyEngines } from '../testing/tiny-engines.js';

const random = new Random(16);
const textOf = (n: number) => Array.from({ length: n }, () => 3 + random.below(300));
const ALWAYS = { alwaysDrafts: true };

/** Guesses come from the guide alone. */
const DRAFT: NativeDraft = {
  lookup: true,
  recycle: true,
  trigram: false,
  jacobi: false,
  model: true,
  maxTokens: 8,
  prediction: new Int32Array(0),
};

/** A tiny model's distribution is flat: one that says something needs a large factor to follow. */
const FACTOR = 400;

const SAMPLINGS: NativeSampling[] = [
  GREEDY,
  { ...GREEDY, temperature: 0.7, seed: 5, repetitionPenalty: 1.2, dryMultiplier: 0.5, topK: 40 },
  { ...GREEDY, temperature: 1.5, seed: 6, topLogprobs: 3 },
];

/** Computes what is not a number for one token. */
const spoil =
  (token: number): TinyOptions['change'] =>
  (tensors) => {
    const embedding = new Float32Array(tensors.get('token_embd')!.data.buffer);
    embedding.fill(NaN, token * 64, token * 64 + 1);
  };

type Asked = Pick<NativeRequest, 'maxTokens' | 'sampling'> & { tokens: number[] };

function requests(isGpu = false): Asked[] {
  const common = textOf(60);
  const texts = [[...common, ...textOf(5)], [...common, ...textOf(30)], textOf(31)];
  return (isGpu ? texts.slice(1, 2) : texts).flatMap((tokens) =>
    (isGpu ? SAMPLINGS.slice(0, 2) : SAMPLINGS).map((sampling, i) => ({
      tokens,
      sampling,
      maxTokens: (isGpu ? 10 : 30) + i,
    })),
  );
}

const shortened = (tokens: readonly number[], factor = FACTOR) => ({
  draftContext: { tokens: Int32Array.from([...tokens.slice(0, 4), ...tokens.slice(-12)]), factor },
});

describe.each(places)('on $name', (place) => {
  const { isGpu } = place;
  const { load, modelOf } = tinyEngines(place);

  const loadGuided = async (options = {}, seed = 0) => {
    const { path: draftModel } = await modelOf(seed === 0 ? {} : { seed });
    return load(options, {}, { ...ALWAYS, draftModel });
  };
  const guided = (
    client: NativeClient,
    asked: readonly Asked[],
    draft?: NativeDraft,
    factor = FACTOR,
  ) =>
    Promise.all(
      asked.map((one) =>
        client.submit({ ...one, ...shortened(one.tokens, factor), ...(draft && { draft }) }),
      ),
    );
  const proposed = (answers: readonly Answer[]) =>
    answers.reduce((sum, { finish }) => sum + finish.draft.proposed, 0);

  test('factor 0: plain bits, with guesses and without', async () => {
    const asked = requests(isGpu);
    const expected = (await Promise.all(asked.map(async (one) => (await load()).submit(one)))).map(
      bitsOf,
    );
    const client = await loadGuided({}, 9);
    for (const draft of [undefined, DRAFT]) {
      const answers = await guided(client, asked, draft, 0);
      expect(answers.map(bitsOf)).toEqual(expected);
      expect(proposed(answers) > 0).toBe(draft !== undefined);
    }
  });

  test('guesses, company, chunks and preemption change no bit of an answer that follows its guide', async () => {
    const asked = requests(isGpu);
    const client = await loadGuided({}, 9);
    const expected: ReturnType<typeof bitsOf>[] = [];
    for (const one of asked) expected.push(bitsOf((await guided(client, [one]))[0]!));
    const plain = (await Promise.all(asked.map((one) => client.submit(one)))).map(bitsOf);
    expect(expected).not.toEqual(plain);
    const together = await Promise.all([
      guided(client, asked, DRAFT),
      ...asked.map((one) => client.submit({ ...one, draft: DRAFT })),
    ]);
    expect(together[0].map(bitsOf)).toEqual(expected);
    expect(proposed(together[0])).toBeGreaterThan(0);
    expect((together.slice(1) as Answer[]).map(bitsOf)).toEqual(plain); // beside them
    if (isGpu) return;
    // With so little memory guides are asked one by one, and begin again; sequences are preempted.
    const room = (nSlabs: number) => ({ kv: { bytes: client.kvBytesPerToken * 32 * nSlabs } });
    for (const options of [{ stepTokens: 7 }, { stepTokens: 16, ...room(20) }, room(10)]) {
      const other = await loadGuided(options, 9);
      for (const draft of [undefined, DRAFT])
        expect((await guided(other, asked, draft)).map(bitsOf)).toEqual(expected);
    }
  });

  if (isGpu) return;

  test('a greedy answer is that of the paper’s formula', async () => {
    const client = await loadGuided({}, 9);
    const drafter = await load({}, { seed: 9 });
    const [{ tokens }] = requests() as [Asked];
    const { draftContext } = shortened(tokens);
    const { tokens: answer } = await client.submit({ tokens, maxTokens: 25, draftContext });
    const logits = async (who: NativeClient, ids: readonly number[]) => [
      ...(await who.logits(ids, {}, 1))[0]!,
    ];
    const softmax = (z: readonly number[]) => {
      const total = z.reduce((sum, value) => sum + Math.exp(value), 0);
      return z.map((value) => Math.exp(value) / total);
    };
    const said: number[] = [];
    let nChanged = 0;
    for (let i = 0; i < answer.length; i++) {
      const z = await logits(client, [...tokens, ...said]);
      const p = softmax(z);
      const q = softmax(await logits(drafter, [...draftContext.tokens, ...said]));
      const least = 0.1 * Math.max(...q);
      const likely = new Set([...q.keys()].sort((a, b) => q[b]! - q[a]!).slice(0, 20));
      const combined = z.map((value, token) =>
        likely.has(token) && q[token]! >= least ? value + FACTOR * (q[token]! - p[token]!) : value,
      );
      const best = (values: readonly number[]) => values.indexOf(Math.max(...values));
      if (best(combined) !== best(z)) nChanged++;
      said.push(best(combined));
    }
    expect(said).toEqual(answer);
    expect(nChanged).toBeGreaterThan(0);
  });

  test('an answer ends where the drafter has no more room', async () => {
    const { path: draftModel } = await modelOf({ shape: { context: 64 } });
    const client = await load({}, {}, { ...ALWAYS, draftModel });
    const tokens = textOf(100);
    const ask = (nContext: number) =>
      client.submit({
        tokens,
        maxTokens: 1000,
        draftContext: { tokens: Int32Array.from(tokens.slice(0, nContext)), factor: 1 },
        draft: DRAFT,
      });
    const { finish, tokens: answer } = await ask(50);
    expect([finish.reason, answer.length]).toEqual(['length', 14]);
    await expect(ask(64)).rejects.toMatchObject({ code: 'context_overflow' });
  });

  /** A prompt without a token, of which the answer is, too. */
  async function askedWithout(token: number, client: NativeClient) {
    for (;;) {
      const tokens = textOf(40).filter((id) => id !== token);
      const answer = await client.submit({ tokens, maxTokens: 8 });
      if (!answer.tokens.includes(token)) return { tokens, answer };
    }
  }

  test('a drafter that computes what is not a number ends the requests that follow it, and no others', async () => {
    const SPOILED = 200;
    const { path: draftModel } = await writeTinyModel({ seed: 9, change: spoil(SPOILED) });
    const client = await load({}, {}, { ...ALWAYS, draftModel });
    const { tokens } = await askedWithout(SPOILED, client);
    const asked = [[SPOILED, 5, 6, 7], [5, 6, SPOILED], tokens.slice(-12)].map((context) =>
      client.submit({
        tokens,
        maxTokens: 5,
        draftContext: { tokens: Int32Array.from(context), factor: 0 },
      }),
    );
    const [early, late, well] = (await Promise.all(asked)).map(({ finish }) => finish);
    for (const finish of [early, late])
      expect(finish).toMatchObject({ reason: 'error', errorCode: 'not_a_number' });
    expect(well!.reason).toBe('length');
  });

  test('a guess of the guide that spoils its own numbers is only the end of what it says', async () => {
    const context = textOf(12);
    const drafter = await load({}, { seed: 9 });
    const { tokens: guesses } = await drafter.submit({ tokens: context, maxTokens: 1 });
    const { path: draftModel } = await writeTinyModel({ seed: 9, change: spoil(guesses[0]!) });
    const client = await load({}, {}, { ...ALWAYS, draftModel });
    const { tokens, answer } = await askedWithout(guesses[0]!, client);
    const plain = bitsOf(answer);
    const draftContext = { tokens: Int32Array.from(context), factor: 0 };
    for (const draft of [undefined, DRAFT]) {
      const follows = await client.submit({
        tokens,
        maxTokens: 8,
        draftContext,
        ...(draft && { draft }),
      });
      expect(bitsOf(follows)).toEqual(plain);
    }
  });

  test('whoever has no guide is not in the queue of those whose guides still read', async () => {
    const client = await loadGuided({}, 9);
    const ended: string[] = [];
    // Many more than a step looks over (64): behind them it would wait for a hundred.
    const guided = Array.from({ length: 160 }, () =>
      client
        .submit({
          tokens: textOf(10),
          maxTokens: 2,
          draftContext: { tokens: Int32Array.from(textOf(260)), factor: 1 },
        })
        .then(() => ended.push('guided')),
    );
    await client.submit({ tokens: textOf(10), maxTokens: 2 }).then(() => ended.push('plain'));
    await Promise.all(guided);
    expect(ended.indexOf('plain')).toBeLessThan(60);
  });

  test('what guides have read may be forgotten at any time', async () => {
    const asked = requests().map((one) => ({ ...one, tokens: [...textOf(300), ...one.tokens] }));
    const whole = ({ tokens }: Asked) => ({
      draftContext: { tokens: Int32Array.from(tokens.slice(0, 300)), factor: FACTOR },
    });
    const client = await loadGuided({}, 9);
    const expected: ReturnType<typeof bitsOf>[] = [];
    for (const one of asked) expected.push(bitsOf(await client.submit({ ...one, ...whole(one) })));
    const clearing = setInterval(() => client.clearCache(), 3);
    const answers = await Promise.all(
      asked.map((one) => client.submit({ ...one, ...whole(one), draft: DRAFT })),
    );
    clearInterval(clearing);
    expect(answers.map(bitsOf)).toEqual(expected);
  });
});
