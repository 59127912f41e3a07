import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyModel, TinyOptions } from '../fixtures/tiny-model.js';

/** Large enough that a step takes longer than handing over a request. */
const SLOW: TinyOptions = {
  type: 'Q8_0',
  shape: { width: 512, ffn: 2048, layers: 6, context: 16_384 },
};
/** So many tokens last longer than whatever keeps this thread from its turn. */
const ENDLESS = 12_000;

const ids = (seed: number, n: number) =>
  Array.from({ length: n }, (_, i) => 3 + ((seed * 31 + i * 7) % 300));

describe('continuous batching', () => {
  let model: TinyModel;
  let engine: Engine;
  beforeAll(async () => void (model = await writeTinyModel(SLOW)));
  beforeEach(
    async () =>
      void (engine = await Engine.load(model.path, { checkInvariants: true, stepTokens: 4096 })),
  );
  afterEach(() => engine.dispose());

  test('16 requests of 32 tokens share their forward passes: at most 48', async () => {
    // The first step is so long that all of them are there when it ends.
    const first = engine.completeTokens(ids(99, 4000), { maxTokens: 1 }).result;
    const generations = Array.from({ length: 16 }, (_, i) =>
      engine.completeTokens(ids(i, 5), { maxTokens: 32, ignoreEos: true }),
    );
    const results = await Promise.all(generations.map(({ result }) => result));
    await first;
    for (const { tokens } of results) expect(tokens).toHaveLength(32);
    expect(engine.stats().steps).toBeLessThanOrEqual(48);
  });

  test('a request that joins mid-run finishes before the longest', async () => {
    const order: string[] = [];
    const long = engine.completeTokens(ids(1, 5), { maxTokens: ENDLESS, ignoreEos: true });
    void long.result.then(() => order.push('long'));
    let seen = 0;
    for await (const token of long.tokens()) {
      expect(token.id).toBeGreaterThanOrEqual(0);
      if (order.length > 0) break;
      if (++seen === 20)
        void engine
          .completeTokens(ids(2, 5), { maxTokens: 8 })
          .result.then(() => order.push('short'));
    }
    await long.result;
    expect(order).toEqual(['short', 'long']);
  });

  test('decoding goes on while a long prompt is prefilled in chunks', async () => {
    await using chunked = await Engine.load(model.path, { stepTokens: 16, checkInvariants: true });
    // They share 32 tokens, so that the engine keeps the steps in which both are: this thread may see them late.
    const prompt = ids(1, 36);
    const stop = new AbortController();
    const decoding = chunked.completeTokens(prompt, {
      maxTokens: ENDLESS,
      ignoreEos: true,
      signal: stop.signal,
    });
    await decoding.tokens()[Symbol.asyncIterator]().next();
    await chunked.completeTokens([...prompt.slice(0, 32), ...ids(2, 400)], { maxTokens: 1 }).result;
    const together = chunked.explain().filter(({ sequences }) => sequences === 2);
    expect(together.every(({ decoding: rows }) => rows > 0)).toBe(true);
    // 400 rows: 15 a step beside one row of the other's, which gives a token in each.
    expect(together.length).toBeGreaterThanOrEqual(26);
    stop.abort();
    await expect(decoding.result).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('KV memory', () => {
  // F32, 2 layers, 2 KV heads, head size 16: a run of 32 tokens is 2 * 2 * 32 * 16 * 2 * 4 bytes.
  const RUN = 16_384;

  test('more sequences than fit take turns, and give the same as alone', async () => {
    const model = await writeTinyModel();
    await using roomy = await Engine.load(model.path, {
      checkInvariants: true,
      kv: { format: 'f32' },
    });
    await using tight = await Engine.load(model.path, {
      checkInvariants: true,
      kv: { format: 'f32', bytes: 8 * RUN },
    });
    const prompts = Array.from({ length: 6 }, (_, i) => ids(i, 40 + 10 * i));
    const expected: number[][] = [];
    for (const prompt of prompts)
      expected.push((await roomy.completeTokens(prompt, { maxTokens: 90 }).result).tokens);
    const results = await Promise.all(
      prompts.map((prompt) => tight.completeTokens(prompt, { maxTokens: 90 }).result),
    );
    expect(results.map(({ tokens }) => tokens)).toEqual(expected);
  });

  test('logits of a request that is preempted are those of one that is not', async () => {
    const model = await writeTinyModel();
    await using roomy = await Engine.load(model.path, { kv: { format: 'f32' } });
    const wanted = ids(9, 150);
    for (const rows of [[33, 40, 47, 60, 80, 149], wanted.map((_, i) => i)]) {
      const expected = await roomy.logits(wanted, { rows });
      for (const runs of [8, 10, 12]) {
        await using tight = await Engine.load(model.path, {
          kv: { format: 'f32', bytes: runs * RUN },
          stepTokens: 8,
          checkInvariants: true,
        });
        const others = Array.from(
          { length: 6 },
          (_, i) => tight.completeTokens(ids(i, 30), { maxTokens: 60 }).result,
        );
        expect(await tight.logits(wanted, { rows })).toEqual(expected);
        await Promise.all(others);
      }
    }
  });

  test('a request that cannot fit fails alone, with what it needs', async () => {
    const model = await writeTinyModel();
    await using engine = await Engine.load(model.path, {
      kv: { format: 'f32', bytes: 4 * RUN },
      checkInvariants: true,
    });
    const small = engine.completeTokens(ids(1, 20), { maxTokens: 5 }).result;
    await expect(engine.completeTokens(ids(2, 200), { maxTokens: 5 }).result).rejects.toMatchObject(
      {
        code: 'kv_budget_exceeded',
        message: expect.stringContaining('201 tokens') as string,
      },
    );
    // It fits at first, and grows out of the memory.
    await expect(
      engine.completeTokens(ids(3, 100), { maxTokens: 100 }).result,
    ).rejects.toMatchObject({ code: 'kv_budget_exceeded' });
    expect((await small).tokens).toHaveLength(5);
  });

  test('a budget too small for anything is refused at load', async () => {
    const { path } = await writeTinyModel();
    await expect(Engine.load(path, { kv: { bytes: 1000 } })).rejects.toMatchObject({
      code: 'kv_budget_exceeded',
    });
  });

  test('more sequences than a step or the memory can hold wait their turn, and give what they give alone', async () => {
    const { path } = await writeTinyModel();
    const kv = { bytes: 1 << 20, format: 'f32' as const }; // some 2000 tokens
    await using small = await Engine.load(path, { checkInvariants: true, kv });
    const requests = Array.from({ length: 400 }, (_, i) =>
      small.completeTokens(ids(i, 40), { maxTokens: 12 }),
    );
    const results = await Promise.all(requests.map(({ result }) => result));
    for (const i of [0, 123, 399]) {
      const alone = await small.completeTokens(ids(i, 40), { maxTokens: 12 }).result;
      expect(results[i]!.tokens).toEqual(alone.tokens);
    }
    expect(small.stats()).toMatchObject({ running: 0, waiting: 0 });
  });
});
