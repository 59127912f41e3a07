import { setTimeout as sleep } from 'node:timers/promises';

import { Engine } from '../../lib/index.js';
import type { LoadOptions } from '../../lib/index.js';
import { tinyVocabulary, writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyModel } from '../fixtures/tiny-model.js';

const ids = (seed: number, n: number) =>
  Array.from({ length: n }, (_, i) => 3 + ((seed * 31 + i * 7) % 300));

describe('generating', () => {
  let model: TinyModel;
  let engine: Engine;
  beforeAll(async () => {
    model = await writeTinyModel({ shape: { context: 2048 } });
    engine = await Engine.load(model.path, { checkInvariants: true });
  });
  afterAll(() => engine.dispose());

  async function idle(): Promise<void> {
    for (let i = 0; i < 200 && engine.stats().running + engine.stats().waiting > 0; i++)
      await sleep(5);
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
  }

  test('pieces, tokens and result tell the same story', async () => {
    const generation = engine.complete('the', { maxTokens: 50 });
    let text = '';
    for await (const piece of generation) text += piece;
    const tokens = [];
    for await (const token of generation.tokens()) tokens.push(token);
    const result = await generation.result;
    expect(result.text).toBe(text);
    expect(tokens.map(({ text: piece }) => piece).join('')).toBe(text);
    expect(result.tokens).toEqual(tokens.map(({ id }) => id));
    expect(result).toMatchObject({ finishReason: 'length', usage: { completionTokens: 50 } });
    for (const { logprob } of tokens) expect(logprob).toBeLessThanOrEqual(0);
  });

  test('the same seed gives the same text, another seed another, alone or in company', async () => {
    const text = async (seed: number) =>
      (await engine.complete('the', { maxTokens: 30, temperature: 1, seed }).result).text;
    const alone = await text(7);
    const company = await Promise.all([text(7), text(8), text(9)]);
    expect(company[0]).toBe(alone);
    expect(new Set(company).size).toBe(3);
  });

  test('a stop string ends the text before it, and frees the engine', async () => {
    const plain = (await engine.complete('the', { maxTokens: 200, temperature: 1, seed: 3 }).result)
      .text;
    const stop = plain.slice(20, 23);
    const result = await engine.complete('the', {
      maxTokens: 200,
      temperature: 1,
      seed: 3,
      stop: [stop, 'never this'],
    }).result;
    expect(result.text).toBe(plain.slice(0, plain.indexOf(stop)));
    expect(result.finishReason).toBe('stop');
    await idle();
  });

  test("the model's end-of-text token ends a generation with reason stop", async () => {
    const { tokens } = await engine.completeTokens(ids(3, 10), { maxTokens: 8 }).result;
    const eos = tokens[5]!;
    await using stopping = await Engine.load(
      (await writeTinyModel({ shape: { context: 2048 }, eos })).path,
    );
    const result = await stopping.completeTokens(ids(3, 10), { maxTokens: 8 }).result;
    expect(result).toMatchObject({
      tokens: tokens.slice(0, tokens.indexOf(eos) + 1),
      finishReason: 'stop',
    });
    const past = await stopping.completeTokens(ids(3, 10), { maxTokens: 8, ignoreEos: true })
      .result;
    expect(past).toMatchObject({ tokens, finishReason: 'length' });
  });

  test('ids given as stop tokens end a generation', async () => {
    const { tokens } = await engine.completeTokens(ids(3, 10), { maxTokens: 8 }).result;
    const stopTokens = [tokens[4]!];
    const result = await engine.completeTokens(ids(3, 10), { maxTokens: 8, stopTokens }).result;
    expect(result.tokens).toEqual(tokens.slice(0, tokens.indexOf(tokens[4]!) + 1));
    expect(result.finishReason).toBe('stop');
  });

  test('leaving the loop ends the generation', async () => {
    const generation = engine.completeTokens(ids(1, 5), { maxTokens: 2000 });
    let seen = 0;
    for await (const token of generation.tokens()) {
      expect(token.id).toBeGreaterThanOrEqual(0);
      if (++seen === 3) break;
    }
    expect((await generation.result).finishReason).toBe('aborted');
    await idle();
  });

  test.each(['before', 'while waiting', 'while generating'])(
    'an abort %s rejects with its reason',
    async (when) => {
      const controller = new AbortController();
      if (when === 'before') controller.abort('because');
      const generation = engine.completeTokens(ids(2, 300), {
        maxTokens: 1500,
        signal: controller.signal,
      });
      if (when === 'while waiting') controller.abort('because');
      const collect = async () => {
        for await (const token of generation.tokens())
          if (token.id >= 0) controller.abort('because');
      };
      await expect(collect()).rejects.toMatchObject({ code: 'aborted', cause: 'because' });
      await expect(generation.result).rejects.toMatchObject({ code: 'aborted' });
      await idle();
    },
  );

  test('a full context ends with reason length', async () => {
    await using small = await Engine.load(model.path, { contextLength: 40 });
    const result = await small.completeTokens(ids(1, 30)).result;
    expect(result).toMatchObject({ finishReason: 'length', usage: { completionTokens: 10 } });
  });

  test('disposing while it generates fails what runs, and nothing hangs', async () => {
    const doomed = await Engine.load(model.path);
    const running = [1, 2, 3].map(
      (seed) => doomed.completeTokens(ids(seed, 50), { maxTokens: 1900 }).result,
    );
    await doomed.dispose();
    await doomed.dispose();
    for (const result of running) await expect(result).rejects.toMatchObject({ code: 'disposed' });
    await expect(doomed.complete('x').result).rejects.toMatchObject({ code: 'disposed' });
    expect(() => doomed.stats()).toThrow(expect.objectContaining({ code: 'disposed' }) as Error);
  });

  test('a NaN ends its own request, not its neighbours', async () => {
    const poisoned = 200;
    const bad = await writeTinyModel({
      change: (tensors) => {
        const embedding = new Float32Array(tensors.get('token_embd')!.data.buffer);
        embedding.fill(NaN, poisoned * 64, poisoned * 64 + 1);
      },
    });
    await using engineWithNan = await Engine.load(bad.path, { checkInvariants: true });
    const clean = ids(4, 40).filter((id) => id !== poisoned);
    const expected = await engineWithNan.completeTokens(clean, { maxTokens: 1 }).result;
    const [good, failed] = await Promise.allSettled([
      engineWithNan.completeTokens(clean, { maxTokens: 1 }).result,
      engineWithNan.completeTokens([...clean.slice(0, 20), poisoned, 5], { maxTokens: 1 }).result,
    ]);
    expect(good).toMatchObject({ status: 'fulfilled', value: { tokens: expected.tokens } });
    expect(failed).toMatchObject({ status: 'rejected', reason: { code: 'not_a_number' } });
    expect((await engineWithNan.completeTokens(clean, { maxTokens: 1 }).result).tokens).toEqual(
      expected.tokens,
    );
  });

  test('two engines run in one process', async () => {
    await using other = await Engine.load(model.path);
    const [a, b] = await Promise.all([
      engine.completeTokens(ids(5, 9), { maxTokens: 9 }).result,
      other.completeTokens(ids(5, 9), { maxTokens: 9 }).result,
    ]);
    expect(a.tokens).toEqual(b.tokens);
  });
});

describe('batches', () => {
  let engine: Engine;
  beforeAll(
    async () =>
      void (engine = await Engine.load(
        (await writeTinyModel({ template: '{{ messages[0].content }}' })).path,
      )),
  );
  afterAll(() => engine.dispose());

  test('give every prompt its own result, in either order', async () => {
    const prompts = ['the', 'a', 'and the'];
    const alone = [];
    for (const prompt of prompts)
      alone.push((await engine.complete(prompt, { maxTokens: 8 }).result).text);
    for (const order of ['finished', 'input'] as const) {
      const batch = engine.createBatch(prompts, { maxTokens: 8, order });
      const texts: string[] = [];
      const indices: number[] = [];
      for await (const item of batch) {
        indices.push(item.index);
        texts[item.index] = item.text!;
      }
      expect(texts).toEqual(alone);
      if (order === 'input') expect(indices).toEqual([0, 1, 2]);
      expect(batch.stats).toMatchObject({ finished: 3, failed: 0, completionTokens: 24 });
      expect(batch.stats.tokensPerSecond).toBeGreaterThan(0);
    }
  });

  test('an item that fails fails alone', async () => {
    const results = await engine
      .createBatch(['the', 'x'.repeat(1000), [{ role: 'user', content: 'hi' }]], { maxTokens: 2 })
      .results();
    expect(results.map(({ error }) => error?.code)).toEqual([
      undefined,
      'context_overflow',
      undefined,
    ]);
  });

  test('an empty batch ends at once', async () => {
    const seen = [];
    for await (const item of engine.createBatch([])) seen.push(item);
    expect(seen).toEqual([]);
  });

  test('leaving the loop ends what is left', async () => {
    const batch = engine.createBatch(['a', 'b', 'c', 'd'], { maxTokens: 400, order: 'input' });
    for await (const { index } of batch) if (index === 0) break;
    const results = await batch.results();
    expect(results).toHaveLength(4);
  });
});

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

describe('options', () => {
  let engine: Engine;
  let path: string;
  beforeAll(async () => {
    ({ path } = await writeTinyModel());
    engine = await Engine.load(path);
  });
  afterAll(() => engine.dispose());

  test.each([
    [{ temprature: 1 }, 'invalid_argument', 'unknown option `temprature`'],
    [
      { temperature: -1 },
      'invalid_argument',
      'expected a number from 0 to 100 for `temperature`, received -1',
    ],
    [{ temperature: NaN }, 'invalid_argument', '`temperature`'],
    [{ maxTokens: 1.5 }, 'invalid_argument', '`maxTokens`'],
    [{ stop: [''] }, 'invalid_argument', '`stop`'],
    [{ stopTokens: [1.5] }, 'invalid_argument', '`stopTokens`'],
    [{ signal: {} }, 'invalid_argument', '`signal`'],
    [{ schema: {} }, 'not_supported', '`schema`'],
    [{ __proto__x: 1 }, 'invalid_argument', 'unknown option'],
  ])('%j is refused', (options, code, message) => {
    expect(() => engine.complete('x', options as never)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining(message) as string,
      }) as Error,
    );
  });

  test.each([
    [{ threads: 0 }, 'invalid_argument'],
    [{ kv: { format: 'int3' } }, 'invalid_argument'],
    [{ kv: { size: 1 } }, 'invalid_argument'],
    [{ contextLength: 100_000 }, 'invalid_argument'],
    [{ device: 'cuda' }, 'invalid_argument'],
    [{ draft: 'x' }, 'not_supported'],
  ])('Engine.load with %j is refused', async (options, code) => {
    await expect(Engine.load(path, options as LoadOptions)).rejects.toMatchObject({ code });
  });

  test('an empty prompt and one longer than the context are refused', async () => {
    await expect(engine.completeTokens([]).result).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    await expect(engine.completeTokens(ids(1, 512)).result).rejects.toMatchObject({
      code: 'context_overflow',
      message: expect.stringContaining('512 tokens') as string,
    });
  });

  test.each([
    ['tokens that are no integers', () => engine.completeTokens([1.5])],
    ['tokens that are no numbers', () => engine.completeTokens(['a'] as never)],
    ['a text that is none', () => engine.complete(5 as never)],
    ['no messages', () => engine.chat([])],
    ['a message without text', () => engine.chat([{ role: 'user' } as never])],
    ['a message of nobody', () => engine.chat([{ role: 'root' as never, content: 'x' }])],
    ['a chat that is no text', () => engine.createSession().chat(null as never)],
  ])('%s: refused at once', (_, call) => {
    expect(call).toThrow(expect.objectContaining({ code: 'invalid_argument' }) as Error);
  });

  test('logits and score check what they are given', async () => {
    await expect(engine.logits([1, NaN])).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(engine.logits([1], { rows: ['0'] as never })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    await expect(engine.score([1, 2], { rows: [1] } as never)).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  test('what has no implementation yet says so', () => {
    expect(() => engine.embed()).toThrow(
      expect.objectContaining({ code: 'not_supported' }) as Error,
    );
  });

  test('tokenize and detokenize are inverse', () => {
    const { tokens } = tinyVocabulary();
    expect(engine.tokenize('the')).toEqual([tokens.indexOf('▁the')]);
    expect(engine.detokenize(engine.tokenize('the inn'))).toBe(' the inn');
  });
});
