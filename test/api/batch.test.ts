import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

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

  test('more than ten prompts draw no warning', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    const results = await engine
      .createBatch(Array<string>(60).fill('a'), { maxTokens: 1 })
      .results();
    await new Promise((resolve) => setImmediate(resolve)); // warnings come with the next turn
    process.off('warning', listen);
    expect(results.every(({ error }) => error === undefined)).toBe(true);
    expect(warnings).toEqual([]);
  });

  test('an empty batch ends at once', async () => {
    const seen = [];
    for await (const item of engine.createBatch([])) seen.push(item);
    expect(seen).toEqual([]);
  });

  test('leaving the loop ends what is left', async () => {
    // Only the first has an end that is near.
    const { path } = await writeTinyModel({ shape: { context: 65_536 } });
    await using roomy = await Engine.load(path);
    const prompts = Array.from({ length: 100 }, (_, i) => ({
      prompt: 'a',
      maxTokens: i === 0 ? 1 : 60_000,
    }));
    const batch = roomy.createBatch(prompts, { ignoreEos: true, schedule: 'fcfs' });
    for await (const { index } of batch) if (index >= 0) break;
    const results = await batch.results();
    const aborted = results.filter(({ error }) => error?.code === 'aborted');
    expect(aborted.length).toBeGreaterThan(0);
    expect(results.every(({ error }) => error === undefined || error.code === 'aborted')).toBe(
      true,
    );
  });

  test('both schedules give the same, and both share', async () => {
    const prompts = Array.from({ length: 12 }, (_, i) => ({
      tokens: [...Array.from({ length: 90 }, (__, t) => 3 + ((7 * t + (i % 3)) % 300)), 5 + i],
    }));
    const outcomes = [];
    for (const schedule of ['prefix-grouped', 'fcfs'] as const) {
      engine.clearCache();
      const batch = engine.createBatch(prompts, { schedule, maxTokens: 4, ignoreEos: true });
      outcomes.push((await batch.results()).map(({ text }) => text));
      expect(batch.stats.sharedTokens).toBe(9 * 90);
      const { kvBytesPerToken } = engine.description;
      expect(batch.stats.kvBytesSaved).toBe(batch.stats.sharedTokens * kvBytesPerToken);
    }
    expect(outcomes[0]).toEqual(outcomes[1]);
  });

  test('more than memory holds streams through', async () => {
    await using small = await Engine.load((await writeTinyModel()).path, {
      kv: { bytes: 1 << 18, format: 'f32' },
      checkInvariants: true,
    });
    const prompts = Array.from({ length: 700 }, (_, i) => ({
      tokens: [...Array.from({ length: 40 }, (__, t) => 3 + ((t + (i % 50)) % 300)), 3 + (i % 290)],
    }));
    for (const schedule of ['prefix-grouped', 'fcfs'] as const) {
      const batch = small.createBatch(prompts, { schedule, maxTokens: 3, ignoreEos: true });
      let last = -1;
      for await (const { error, completion, index } of batch) {
        expect(error).toBeUndefined();
        expect(completion).toBe(0);
        last = index;
      }
      expect(last).toBeGreaterThanOrEqual(0);
      expect(batch.stats).toMatchObject({ finished: 700, failed: 0, completionTokens: 2100 });
    }
    expect(small.stats()).toMatchObject({ waiting: 0, running: 0 });
  });

  test('bestOf draws more and gives the likeliest, best first', async () => {
    const options = { maxTokens: 4, temperature: 1, seed: 11, ignoreEos: true };
    const all = await engine.createBatch(['the', 'a'], { ...options, n: 6 }).results();
    const best = await engine.createBatch(['the', 'a'], { ...options, n: 2, bestOf: 6 }).results();
    expect(best.map(({ index, completion }) => [index, completion])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    for (const index of [0, 1]) {
      const drawn = all.filter((result) => result.index === index && !result.error);
      const logprobs = drawn.map((result) => (result.error ? 0 : result.logprob));
      const kept = best.filter((result) => result.index === index);
      expect(kept.map((result) => (result.error ? 0 : result.logprob))).toEqual(
        logprobs.sort((a, b) => b - a).slice(0, 2),
      );
    }
    expect(() => engine.createBatch(['the'], { n: 3, bestOf: 2 })).toThrow(/bestOf/);
  });

  test('a failing item among many completions fails with each of them, and leaves the rest', async () => {
    const results = await engine
      .createBatch(['the', 'x'.repeat(1000), { tokens: [1e6] }, {}], { n: 3, maxTokens: 2 })
      .results();
    const codes = results.map(({ error }) => error?.code);
    expect(codes.slice(0, 3)).toEqual([undefined, undefined, undefined]);
    expect(codes.slice(3, 6)).toEqual(Array(3).fill('context_overflow'));
    expect(codes.slice(6)).toEqual(Array(6).fill('invalid_argument'));
  });

  test('an engine that goes away ends its batches', async () => {
    const other = await Engine.load((await writeTinyModel()).path);
    const batch = other.createBatch(Array<string>(600).fill('the'), { maxTokens: 50 });
    await other.dispose();
    const results = await batch.results();
    expect(results).toHaveLength(600);
    expect(new Set(results.map(({ error }) => error?.code))).toEqual(new Set(['disposed']));
  });
});
