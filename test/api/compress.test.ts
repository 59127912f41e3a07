/** Compression as users ask for it: of requests, sessions, contexts, batches and scores. */
import { Engine } from '../../lib/index.js';
import type { Compression, GenerationResult, LoadOptions } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';

const TEMPLATE =
  '{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}';
const random = new Random(5);
const ids = (n: number) => Array.from({ length: n }, () => 3 + random.below(300));
const SNAP: Compression = { policy: 'snap', budget: 40, rows: 8 };
const CHELSEA: Compression = { policy: 'chelsea', keep: 0.4, protect: { first: 2, last: 8 } };
const options = { maxTokens: 12, ignoreEos: true } as const;

const bitsOf = ({ tokens, logprob }: GenerationResult) => [...tokens, logprob];

let path: string;
let engine: Engine;
const engines: Engine[] = [];
const load = async (more: LoadOptions = {}) => {
  engines.push(await Engine.load(path, { checkInvariants: true, ...more }));
  return engines.at(-1)!;
};
beforeAll(async () => {
  ({ path } = await writeTinyModel({ template: TEMPLATE, shape: { context: 1024 } }));
});
beforeEach(async () => void (engine = await load()));
afterEach(() => Promise.all(engines.splice(0).map((one) => one.dispose())));

const ask = async (prompt: readonly number[], compress?: Compression, on = engine) =>
  on.completeTokens(prompt, { ...options, ...(compress ? { compress } : {}) }).result;

test('usage.kv counts what is left, explainEdits says when and why, stats how much', async () => {
  const prompt = ids(200);
  const plain = await ask(prompt);
  expect(plain.usage.kv).toBeUndefined();
  const { usage } = await ask(prompt, SNAP);
  expect(usage.kv).toMatchObject({ kept: 40 + 11, of: 211 });
  expect(usage.kv!.bytes).toBeLessThan(0.5 * 211 * engine.description.kvBytesPerToken);
  const [edit] = engine.explainEdits();
  expect(edit).toMatchObject({ policy: 'snap', tokens: 200, kept: 40 });
  expect(edit!.layers).toEqual(engine.description.layers === 2 ? [40, 40] : expect.any(Array));
  expect(engine.stats()).toMatchObject({ edits: 1, kvBytesEdited: edit!.bytes });
  expect(bitsOf(await ask(prompt))).toEqual(bitsOf(plain)); // an exact request reads the exact KV
});

test('a budget above the length is no compression: the plain bits, and the plain cache', async () => {
  const prompt = ids(100);
  const plain = await ask(prompt);
  for (const compress of [
    { policy: 'snap', keep: 1 },
    { policy: 'snap', budget: 101 },
    { policy: 'chelsea', budget: 5000 },
    { policy: 'recent', keep: 1, every: 32 },
  ] as const) {
    const { usage, ...result } = await ask(prompt, compress);
    expect(bitsOf({ usage, ...result })).toEqual(bitsOf(plain));
    expect(usage.cachedTokens).toBe(99);
    expect(usage.kv!.kept).toBe(111);
  }
  expect(engine.stats().edits).toBe(0);
});

test('`every` compresses while it generates; `at` where earlier turns ended', async () => {
  const prompt = ids(100);
  const long = { maxTokens: 80, ignoreEos: true } as const;
  const compress = { policy: 'recent', budget: 36, every: 32, at: [50] } as const;
  const { usage } = await engine.completeTokens(prompt, { ...long, compress }).result;
  expect(engine.explainEdits().map(({ tokens }) => tokens)).toEqual([50, 100, 128, 160]);
  expect(usage.kv).toMatchObject({ kept: 36 + 179 - 160, of: 179 });
});

test('penalties see the tokens that an edit has taken in', async () => {
  const prompt = ids(120);
  const { tokens } = await engine.completeTokens(prompt, {
    ...options,
    repetitionPenalty: 100,
    presencePenalty: 2,
    compress: { policy: 'recent', budget: 24, at: [60] },
  }).result;
  const said = new Set(prompt);
  for (const token of tokens) {
    expect(said.has(token)).toBe(false);
    said.add(token);
  }
});

describe('sessions', () => {
  const words = (n: number) => Array.from({ length: n }, () => 'the inn and ').join('');

  test('each turn takes in what the one before has left; forks and rewinds carry it out again', async () => {
    const session = engine.createSession({ compress: SNAP });
    const first = await session.chat(words(30), options).result;
    expect(first.usage.kv!.kept).toBe(40 + 11);
    const fork = session.fork();
    const second = await session.chat(words(20), options).result;
    expect(second.usage.kv!.kept).toBe(40 + 11);
    expect(bitsOf(await fork.chat(words(20), options).result)).toEqual(bitsOf(second));
    session.rewind();
    expect(bitsOf(await session.chat(words(20), options).result)).toEqual(bitsOf(second));
    // Computed again from nothing, on another engine: by the turns themselves.
    const other = (await load({ threads: 1, stepTokens: 7 })).createSession({ compress: SNAP });
    expect(bitsOf(await other.chat(words(30), options).result)).toEqual(bitsOf(first));
    expect(bitsOf(await other.chat(words(20), options).result)).toEqual(bitsOf(second));
    // An edited turn: the first one's compression stays, the second one's is another.
    const edited = await session.edit(words(10), options).result;
    expect(edited.usage.kv!.kept).toBe(40 + 11);
    expect(bitsOf(edited)).not.toEqual(bitsOf(second));
  });

  test('more turns than a step has room for edits', async () => {
    const session = engine.createSession({ compress: { policy: 'recent', budget: 24 } });
    for (let turn = 0; turn < 80; turn++)
      await session.complete(' the', { maxTokens: 1, ignoreEos: true }).result;
    expect(session.tokens.length).toBeGreaterThan(100);
    expect(engine.stats().edits).toBeGreaterThan(60);
  });

  test('a stop string behind an edit: what was trimmed is gone', async () => {
    const compress = { policy: 'recent', budget: 24, every: 32 } as const;
    const session = engine.createSession({ compress });
    const { text } = await session.complete(words(10), { maxTokens: 60, ignoreEos: true }).result;
    const stop = text.slice(Math.floor(text.length / 2)).slice(0, 3);
    const again = engine.createSession({ compress });
    const short = await again.complete(words(10), { maxTokens: 60, ignoreEos: true, stop }).result;
    expect(short.finishReason).toBe('stop');
    // The next turn has the edits of the text that stayed, and its own at its end.
    const begin = engine.tokenize(words(10), { bos: true }).length;
    const end = again.tokens.length;
    const at = [begin, ...Array.from({ length: end + 1 }, (_, i) => i)].filter(
      (i, place) => place === 0 || (i > begin && i % 32 === 0),
    );
    const next = await again.complete(' and', options).result;
    const prompt = again.tokens.slice(0, next.usage.promptTokens);
    const replayed = { ...options, compress: { ...compress, at } };
    const replay = await (await load()).completeTokens(prompt, replayed).result;
    expect(bitsOf(next)).toEqual(bitsOf(replay));
  });
});

describe('contexts', () => {
  test('compressed once for all who use it; the one before stays as it is', async () => {
    const tokens = ids(300);
    const doc = await engine.cache.add(tokens, { pin: true });
    expect(doc.kv).toBeUndefined();
    const questions = Array.from({ length: 16 }, () => ids(9));
    const answer = (context: typeof doc) =>
      Promise.all(
        questions.map((own) => engine.completeTokens(own, { ...options, context }).result),
      );
    const plain = (await answer(doc)).map(bitsOf);
    const small = await engine.cache.compress(doc, CHELSEA);
    expect(small.kv).toMatchObject({ kept: 120, of: 300 });
    expect(small.pinned).toBe(true);
    const compressed = await answer(small);
    expect(engine.stats().edits).toBe(1);
    expect(compressed.map(bitsOf)).not.toEqual(plain);
    expect((await answer(doc)).map(bitsOf)).toEqual(plain);
    // Alone, cold, on another engine, with another way to say the same.
    const again = await (await load({ threads: 1 })).cache.add(tokens, { compress: CHELSEA });
    const last = engines.at(-1)!;
    for (const [i, own] of questions.entries()) {
      const alone = last.completeTokens(own, { ...options, context: again });
      expect(bitsOf(await alone.result)).toEqual(bitsOf(compressed[i]!));
    }
  });

  test('a session and a request on a compressed context compress further', async () => {
    const doc = await engine.cache.add(ids(300), { compress: CHELSEA });
    const { usage } = await engine.completeTokens(ids(20), {
      ...{ ...options, context: doc },
      compress: SNAP,
    }).result;
    expect(usage.kv).toMatchObject({ kept: 51, of: 331 });
    const session = engine.createSession({ context: doc });
    await session.complete(' the', options).result;
    const { usage: after } = await session.complete(' inn', options).result;
    expect(after.cachedTokens).toBeGreaterThan(10);
    const window = { policy: 'window', window: 16 } as const;
    const read = await engine.completeTokens(ids(20), {
      ...options,
      context: doc,
      compress: window,
    }).result;
    expect(read.usage.kv!.kept).toBe(20);
  });

  test('released, its keys and values are cache like any other', async () => {
    const doc = await engine.cache.add(ids(300), { compress: CHELSEA, pin: true });
    engine.cache.clear();
    await ask(ids(3));
    expect(engine.stats().kvBytesEdited).toBeGreaterThan(0);
    engine.cache.release(doc);
    engine.cache.clear();
    await ask(ids(3));
    expect(engine.stats().kvBytesEdited).toBe(0);
  });

  test('scores and logits read what is left', async () => {
    const doc = await engine.cache.add(ids(200), { compress: CHELSEA });
    const text = ids(30);
    const score = await engine.score(text, { context: doc });
    expect([score.from, score.logprobs.length]).toEqual([1, 29]);
    await expect(engine.score(text, { context: doc, from: 0 })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const prompt = ids(150);
    const { usage, logprobs } = await engine.score(prompt, { from: 101, compress: SNAP });
    expect(usage.kv).toMatchObject({ kept: 40 + 49, of: 149 });
    const rows = await engine.logits(prompt, { rows: [100, 120], compress: SNAP });
    expect(rows).toHaveLength(2);
    const plain = await engine.score(prompt, { from: 101 });
    expect(logprobs).not.toEqual(plain.logprobs);
  });
});

test('items of a batch have their own; completions of a prompt are compressed once', async () => {
  const prompt = ids(200);
  const other = await load();
  const wanted = bitsOf(await ask(prompt, SNAP, other));
  const plain = bitsOf(await ask(prompt, undefined, other));
  const batch = engine.createBatch(
    [
      { tokens: prompt, compress: SNAP },
      { tokens: prompt },
      { tokens: prompt, compress: { policy: 'nothing' } as never },
    ],
    { ...options, n: 3, order: 'input' },
  );
  const results = await batch.results();
  expect(results.map(({ index, error }) => [index, error?.code])).toEqual(
    [0, 1, 2].flatMap((index) =>
      new Array<unknown>(3).fill([index, index < 2 ? undefined : 'invalid_argument']),
    ),
  );
  for (const one of results.slice(0, 3)) expect(bitsOf(one as GenerationResult)).toEqual(wanted);
  expect(bitsOf(results[3] as GenerationResult)).toEqual(plain);
  expect(engine.stats().edits).toBe(1);
});

test('what cannot be is refused, and says what to do', async () => {
  const bad: [unknown, RegExp][] = [
    [{}, /compress.policy/],
    [{ policy: 'none' }, /one of window, recent, random, key-norm, snap, h2o, .*, chelsea, razor/],
    [{ policy: 'snap' }, /either `keep` or `budget`/],
    [{ policy: 'snap', keep: 0.5, budget: 3 }, /either `keep` or `budget`/],
    [{ policy: 'snap', keep: 0 }, /0\.000001 to 1/],
    [{ policy: 'snap', keep: 2 }, /0 to 1/],
    [{ policy: 'snap', budget: 9, pool: 4 }, /odd integer/],
    [{ policy: 'snap', budget: 9, seed: 4 }, /unknown option `compress\.seed`/],
    [{ policy: 'chelsea', budget: 9, split: 'mass' }, /uniform for the policy chelsea/],
    [{ policy: 'recent', budget: 9, protect: { first: 9, last: 9 } }, /at most the budget/],
    [{ policy: 'recent', budget: 9, at: [5, 5] }, /ascending/],
    [{ policy: 'razor' }, /cachalot heads/],
    [{ policy: 'razor', heads: { model: '', layers: 1, kvHeads: 2, scores: [1] } }, /one for each/],
    ['snap', /compress.policy/],
  ];
  for (const [compress, message] of bad) {
    const asked = async () =>
      engine.completeTokens(ids(50), { compress: compress as never }).result;
    await expect(asked()).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(asked()).rejects.toThrow(message);
  }
  const doc = await engine.cache.add(ids(50));
  for (const compress of [SNAP, { policy: 'window', window: 9 } as const]) {
    await expect(engine.cache.compress(doc, compress)).rejects.toThrow(/chelsea|recent/);
    await expect(engine.cache.add(ids(50), { compress })).rejects.toThrow(/chelsea|recent/);
  }
  const small = await engine.cache.compress(doc, { policy: 'recent', keep: 0.9 });
  await expect(engine.cache.compress(small, CHELSEA)).rejects.toThrow(/not compressed/);
  const heads = { model: 'another', layers: 3, kvHeads: 9, scores: Array(27).fill(0) as number[] };
  const other = engine.completeTokens(ids(50), { compress: { policy: 'razor', heads } }).result;
  await expect(other).rejects.toThrow(/of another model: it has 27/);
});

test('200 rounds of compress, fork, generate, release leave nothing', async () => {
  const doc = await engine.cache.add(ids(100), { pin: true });
  const round = async () => {
    const small = await engine.cache.compress(doc, { policy: 'key-norm', keep: 0.5 });
    const session = engine.createSession({ context: small, compress: SNAP });
    await session.complete(' the', { maxTokens: 2 }).result;
    await session.fork().complete(' inn', { maxTokens: 2 }).result;
    engine.cache.release(small);
    engine.cache.clear();
  };
  const after = async () => {
    await ask(ids(3));
    engine.cache.clear();
    await ask(ids(3));
    const { kvBytesInUse, kvBytesEdited, segments } = engine.stats();
    return { kvBytesInUse, kvBytesEdited, segments };
  };
  await round();
  const once = await after();
  for (let i = 0; i < 200; i++) await round();
  expect(await after()).toEqual(once);
}, 120_000);

test('more sequences run at a time when each will shrink', async () => {
  const n = 512;
  const kv = { bytes: 8 * n * engine.description.kvBytesPerToken };
  const mean = async (compress: Compression | undefined) => {
    const small = await load({ kv });
    const prompts = Array.from({ length: 40 }, () => ({ tokens: ids(n - 64) }));
    const how = compress ? { compress } : {};
    const batch = small.createBatch(prompts, { maxTokens: 48, ignoreEos: true, ...how });
    for (const { error } of await batch.results()) expect(error).toBeUndefined();
    const { outputs, outputSteps } = small.stats();
    return outputs / outputSteps; // sequences that decode in a step
  };
  const plain = await mean(undefined);
  expect(plain).toBeLessThanOrEqual(8);
  expect(await mean({ policy: 'snap', budget: 64, rows: 8 })).toBeGreaterThan(2 * plain);
}, 60_000);
