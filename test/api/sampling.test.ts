import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

describe('sampling options', () => {
  let engine: Engine;
  beforeAll(async () => void (engine = await Engine.load((await writeTinyModel()).path)));
  afterAll(() => engine.dispose());

  const draw = async (options: object) =>
    (await engine.complete('the', { maxTokens: 40, temperature: 1.5, seed: 3, ...options }).result)
      .tokens;

  test('the same seed gives the same tokens, another seed others', async () => {
    expect(await draw({})).toEqual(await draw({}));
    expect(await draw({ seed: 4 })).not.toEqual(await draw({}));
  });

  test.each([{ topK: 1 }, { topP: 0 }, { minP: 1 }])(
    '%j draws what is likeliest',
    async (options) => {
      expect(await draw(options)).toEqual(await draw({ temperature: 0 }));
    },
  );

  test('options act row by row: neighbours with others do not change a draw', async () => {
    const requests = [
      { topK: 5 },
      { repetitionPenalty: 1.3 },
      { logitBias: { 300: 5 } },
      { typicalP: 0.5, topLogprobs: 3 },
      { dry: { multiplier: 1 } },
    ];
    const alone = [];
    for (const options of requests) alone.push(await draw(options));
    const common = { maxTokens: 40, temperature: 1.5, seed: 3 };
    const batch = engine.createBatch(
      requests.map((options) => ({ prompt: 'the', ...common, ...options })),
    );
    expect(
      (await batch.results()).map((result) => (result.error ? result.error : result.tokens)),
    ).toEqual(alone);
  });

  test('a bias makes a token certain or impossible', async () => {
    expect(new Set(await draw({ logitBias: { 300: 1000 } }))).toEqual(new Set([300]));
    const [first] = await draw({ temperature: 0 });
    expect(await draw({ temperature: 0, logitBias: { [first!]: -Infinity } })).not.toContain(first);
    await expect(engine.complete('the', { logitBias: { 99999: 1 } }).result).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('99999') as string,
    });
  });

  test('biases that forbid every token are blamed, and not the weights', async () => {
    const { vocabulary } = engine.description;
    const all = Object.fromEntries(Array.from({ length: vocabulary }, (_, id) => [id, -Infinity]));
    const forbidden = {
      code: 'invalid_argument',
      message: expect.stringContaining('logitBias') as string,
    };
    for (const temperature of [0, 1])
      await expect(draw({ temperature, logitBias: all })).rejects.toMatchObject(forbidden);
    const one = { ...all, 300: 0 };
    expect(new Set(await draw({ logitBias: one }))).toEqual(new Set([300]));
  });

  test('penalties and DRY break the repetitions of greedy decoding', async () => {
    const common = { temperature: 0, maxTokens: 200 };
    const kinds = async (options: object) => new Set(await draw({ ...common, ...options })).size;
    const plain = await kinds({});
    for (const options of [
      { repetitionPenalty: 2 },
      { frequencyPenalty: 2 },
      { presencePenalty: 5 },
      { dry: { multiplier: 4, allowedLength: 1 } },
    ]) {
      expect(await kinds(options)).toBeGreaterThan(plain);
    }
    expect(await kinds({ presencePenalty: 5, penaltyWindow: 2 })).toBeLessThan(
      await kinds({ presencePenalty: 5 }),
    );
  });

  test('log-probabilities of the likeliest tokens come with each token', async () => {
    const generation = engine.complete('the', { maxTokens: 5, topLogprobs: 4 });
    for await (const { id, logprob, top } of generation.tokens()) {
      expect(top).toHaveLength(4);
      expect(top![0]).toEqual({ id, logprob }); // greedy
      expect([...top!].sort((a, b) => b.logprob - a.logprob)).toEqual(top);
    }
  });

  test('n completions of a prompt differ, are repeatable, and compute the prompt once', async () => {
    const prompt = 'the and the inn '.repeat(10);
    const options = { n: 4, temperature: 1, seed: 8, maxTokens: 10 };
    const batch = engine.createBatch([prompt, 'a'], options);
    const results = await batch.results();
    expect(results.map(({ index, completion }) => [index, completion])).toEqual(
      [0, 1].flatMap((index) => [0, 1, 2, 3].map((completion) => [index, completion])),
    );
    expect(new Set(results.slice(0, 4).map(({ text }) => text)).size).toBeGreaterThan(1);
    for (const result of results.slice(1, 4)) {
      expect(result.error).toBeUndefined();
      if (!result.error) expect(result.usage.cachedTokens).toBe(result.usage.promptTokens - 1);
    }
    const again = await engine.createBatch([prompt, 'a'], options).results();
    expect(again.map(({ text }) => text)).toEqual(results.map(({ text }) => text));
    const [one] = await engine.createBatch([prompt], { ...options, n: 1 }).results();
    expect(one!.text).toBe(results[0]!.text);
  });

  test.each([
    [{ topK: -1 }, '`topK`'],
    [{ topP: 1.1 }, '`topP`'],
    [{ minP: 'x' }, '`minP`'],
    [{ repetitionPenalty: 0 }, '`repetitionPenalty`'],
    [{ dry: { strength: 1 } }, 'unknown option `dry.strength`'],
    [{ dry: { base: 0 } }, '`dry.base`'],
    [{ dry: { breakers: [''] } }, '`dry.breakers`'],
    [{ logitBias: { x: 1 } }, '`logitBias`'],
    [{ logitBias: new Map([[1, 2]]) }, '`logitBias`'],
    [{ logitBias: [1, 2] }, '`logitBias`'],
    [{ logitBias: { 3: Infinity } }, '`logitBias`'],
    [{ topLogprobs: 21 }, '`topLogprobs`'],
  ])('%j is refused', (options, message) => {
    expect(() => engine.complete('x', options as never)).toThrow(message);
  });

  test('an item of a batch with a wrong option fails alone', async () => {
    const items = [
      { prompt: 'the', topK: -1 },
      { prompt: 5 as never },
      'the',
      { prompt: 'the', topX: 1 },
    ];
    const results = await engine.createBatch(items, { maxTokens: 2 }).results();
    expect(results.map(({ error }) => error?.code)).toEqual([
      'invalid_argument',
      'invalid_argument',
      undefined,
      'invalid_argument',
    ]);
  });

  test('what was given is read once: changing it later changes nothing', async () => {
    const logitBias: Record<number, number> = { 300: 1000 };
    const first = engine.complete('the', { maxTokens: 3, logitBias });
    logitBias[300] = -1000;
    expect((await first.result).tokens).toEqual([300, 300, 300]);
    const messages = [{ role: 'user' as const, content: 'x' }];
    const items = [{ prompt: 'the', logitBias: { 301: 1000 } }];
    const batch = engine.createBatch(items, { maxTokens: 2, n: 2 });
    items[0]!.prompt = 'changed '.repeat(20);
    messages[0]!.content = 'changed';
    const usages = (await batch.results()).map((one) => (one.error ? 0 : one.usage.promptTokens));
    expect(usages).toEqual([2, 2]);
  });
});
