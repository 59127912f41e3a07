import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

const ids = (seed: number, n: number) =>
  Array.from({ length: n }, (_, i) => 3 + ((seed * 31 + i * 7) % 300));

describe('score and logits', () => {
  let engine: Engine;
  beforeAll(
    async () =>
      void (engine = await Engine.load((await writeTinyModel()).path, {
        stepTokens: 16,
        checkInvariants: true,
      })),
  );
  afterAll(() => engine.dispose());

  test('log-probabilities are those of the logits', async () => {
    const tokens = ids(6, 90);
    const { logprobs, perplexity } = await engine.score(tokens);
    const logits = await engine.logits(tokens, { rows: tokens.map((_, i) => i) });
    expect(logprobs).toHaveLength(89);
    logprobs.forEach((logprob, i) => {
      const row = logits[i]!;
      const total = Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0));
      expect(logprob).toBeCloseTo(row[tokens[i + 1]!]! - total, 4);
    });
    expect(perplexity).toBeCloseTo(Math.exp(-logprobs.reduce((a, b) => a + b) / 89), 3);
  });

  test('rows are given as asked for, the same warm and cold', async () => {
    const tokens = ids(7, 50);
    engine.clearCache();
    const cold = await engine.logits(tokens, { rows: [3, 40, 49] });
    const warm = await engine.logits(tokens, { rows: [3, 40, 49] });
    expect(warm).toEqual(cold);
    expect(await engine.logits(tokens)).toEqual([cold[2]]);
  });

  test.each([
    [[], {}, 'invalid_argument'],
    [[99_999], {}, 'invalid_argument'],
    [[-1], {}, 'invalid_argument'],
    [[5], { rows: [1] }, 'invalid_argument'],
    [[5, 6], { rows: [1, 0] }, 'invalid_argument'],
    [ids(1, 513), {}, 'context_overflow'],
  ])('logits(%j, %j) is refused: %s', async (tokens, options, code) => {
    await expect(engine.logits(tokens, options)).rejects.toMatchObject({ code });
  });

  test('scoring needs two tokens', async () => {
    await expect(engine.score([5])).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});

describe('scores that read the cache', () => {
  let engine: Engine;
  const doc = ids(1, 200);
  const question = ids(2, 30);
  beforeAll(
    async () =>
      void (engine = await Engine.load((await writeTinyModel()).path, { checkInvariants: true })),
  );
  beforeEach(() => engine.clearCache());
  afterAll(() => engine.dispose());
  const rows = () => engine.stats().rows;

  test.each([0, 1, 17, 29])(
    'from token %i after a context: the bits of scoring all',
    async (from) => {
      const whole = await engine.score([...doc, ...question]);
      engine.clearCache();
      using context = await engine.cache.add(doc);
      const before = rows();
      const score = await engine.score(question, { context, from });
      expect(score.logprobs).toEqual(whole.logprobs.slice(doc.length + from - 1));
      expect(score).toMatchObject({ tokens: question, from });
      expect(score.usage).toEqual({ promptTokens: 230, cachedTokens: from === 0 ? 199 : 200 });
      // The last row before the question is computed, since its output is wanted; the last token never is.
      expect(rows() - before).toBe(from === 0 ? 30 : 29);
    },
  );

  test('a second score with the same beginning computes only what is new', async () => {
    const other = ids(3, 12);
    await engine.score([...doc, ...question], { from: doc.length });
    const before = rows();
    const { usage } = await engine.score([...doc, ...other], { from: doc.length });
    expect(usage.cachedTokens).toBe(199);
    expect(rows() - before).toBe(12);
  });

  test('scores of a batch are those of each alone, and what they share is computed once', async () => {
    const items = Array.from({ length: 24 }, (_, i) => {
      const from = i % 3 === 0 ? 96 : 200;
      return { tokens: [...doc.slice(0, from), ...ids(10 + i, 5 + i)], from };
    });
    const before = rows();
    const together = await engine.scoreBatch(items);
    const own = items.reduce((sum, { tokens, from }) => sum + tokens.length - from, 0);
    expect(rows() - before).toBeLessThanOrEqual(200 + own);
    for (const [i, { tokens, from }] of items.entries()) {
      engine.clearCache();
      expect(together[i]!.logprobs).toEqual((await engine.score(tokens, { from })).logprobs);
    }
  });

  test('items have contexts and beginnings of their own', async () => {
    using context = await engine.cache.add(doc);
    const [first, second, third] = await engine.scoreBatch(
      [question, { tokens: question, context, from: 3 }, { text: 'the inn' }],
      { specialTokens: false },
    );
    expect(first!.logprobs).toEqual((await engine.score(question)).logprobs);
    expect(second!.logprobs).toEqual((await engine.score(question, { context, from: 3 })).logprobs);
    expect(third!.logprobs).toEqual((await engine.score('the inn')).logprobs);
    expect(await engine.scoreBatch([])).toEqual([]);
  });

  test('logits after a context', async () => {
    using context = await engine.cache.add(doc);
    const given = await engine.logits(question, { context, rows: [0, 29] });
    const whole = await engine.logits([...doc, ...question], { rows: [200, 229] });
    expect(given).toEqual(whole);
  });

  test('a window changes the scores, and one as long as the context does not', async () => {
    const text = [...doc, ...question];
    const plain = await engine.score(text);
    const compress = { policy: 'window', sinks: 2, window: 30 } as const;
    const windowed = await engine.score(text, { compress });
    expect(windowed.logprobs.slice(0, 31)).toEqual(plain.logprobs.slice(0, 31));
    expect(windowed.logprobs.slice(40)).not.toEqual(plain.logprobs.slice(40));
    expect(windowed.usage.kv).toEqual({
      kept: 32,
      of: 229,
      bytes: 32 * engine.description.kvBytesPerToken,
    });
    const neutral = await engine.score(text, { compress: { policy: 'window', window: 1 << 20 } });
    expect(neutral.logprobs).toEqual(plain.logprobs);
    expect(neutral.usage.cachedTokens).toBe(0); // all rows were wanted
    expect(await engine.score(text, { compress })).toMatchObject({ logprobs: windowed.logprobs });
  });

  test('a generation with a window says how many keys it read', async () => {
    const compress = { policy: 'window', window: 28 } as const;
    const ask = (more: object) =>
      engine.completeTokens(doc, { maxTokens: 10, ignoreEos: true, ...more }).result;
    const { usage } = await ask({ compress });
    expect(usage.kv).toEqual({ kept: 32, of: 209, bytes: 32 * engine.description.kvBytesPerToken });
    expect((await ask({})).usage).not.toHaveProperty('kv');
  });

  test.each([
    [{ from: 0 }, /from/],
    [{ from: 30 }, /`from`/],
    [{ from: 1.5 }, /`from`/],
    [{ compress: { window: 3 } }, /compress.policy/],
    [{ compress: { policy: 'window' } }, /compress.window/],
    [{ compress: { policy: 'snap', window: 3 } }, /compress.window/],
    [{ compress: { policy: 'window', window: 0 } }, /compress.window/],
    [{ compress: { policy: 'window', window: 3, sink: 1 } }, /compress.sink/],
    [{ rows: [1] }, /rows/],
  ])('score with %j is refused', async (options, message) => {
    const wrong = engine.score(question, options as object);
    await expect(wrong).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(wrong).rejects.toThrow(message);
  });

  test('a batch ends with its first error, and leaves nothing behind', async () => {
    const items = [question, [1, 99_999], ...Array.from({ length: 400 }, (_, i) => ids(i, 60))];
    await expect(engine.scoreBatch(items)).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(engine.scoreBatch([{ text: 'a', tokens: [1, 2] }])).rejects.toThrow(/items\[0\]/);
    const stop = new AbortController();
    const stopped = engine.scoreBatch(items.slice(2), { signal: stop.signal });
    setImmediate(() => stop.abort());
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
    expect(await engine.scoreBatch([question])).toHaveLength(1);
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
  });
});
