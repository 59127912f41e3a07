import { setTimeout as sleep } from 'node:timers/promises';

import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyModel } from '../fixtures/tiny-model.js';

const ids = (seed: number, n: number) =>
  Array.from({ length: n }, (_, i) => 3 + ((seed * 31 + i * 7) % 300));

describe('generating', () => {
  let model: TinyModel;
  let engine: Engine;
  beforeAll(async () => {
    model = await writeTinyModel({ shape: { context: 131_072 } });
    engine = await Engine.load(model.path, { checkInvariants: true });
  });
  afterAll(() => engine.dispose());

  /** Goes on for longer than whatever keeps its reader from the next turn of the loop. */
  const ENDLESS = { maxTokens: 100_000, ignoreEos: true };

  async function idle(): Promise<void> {
    while (engine.stats().running + engine.stats().waiting > 0) await sleep(5);
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
    const generation = engine.completeTokens(ids(1, 5), ENDLESS);
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
        ...ENDLESS,
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
    const running = [1, 2, 3].map((seed) => doomed.completeTokens(ids(seed, 50), ENDLESS).result);
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

  test('KV that a NaN has reached is never shared', async () => {
    const poisoned = 200;
    const bad = await writeTinyModel({
      shape: { context: 2048 },
      change: (tensors) => {
        const embedding = new Float32Array(tensors.get('token_embd')!.data.buffer);
        embedding.fill(NaN, poisoned * 64, poisoned * 64 + 1);
      },
    });
    await using sick = await Engine.load(bad.path, { checkInvariants: true, stepTokens: 64 });
    const clean = ids(4, 20).filter((id) => id !== poisoned);
    const [expected] = await sick.logits([...clean, 5]);
    sick.clearCache();
    const long = [...clean, poisoned, ...ids(5, 1500).filter((id) => id !== poisoned)];
    const failing = sick.completeTokens(long, { maxTokens: 1 }).result;
    const beside = await sick.logits([...clean, 5]);
    await expect(failing).rejects.toMatchObject({ code: 'not_a_number' });
    expect([...beside, ...(await sick.logits([...clean, 5]))]).toEqual([expected, expected]);
  });

  test('keys that are all NaN are an error, not an answer', async () => {
    const bad = await writeTinyModel({
      change: (tensors) =>
        void new Float32Array(tensors.get('blk.0.attn_k')!.data.buffer).fill(NaN),
    });
    await using sick = await Engine.load(bad.path, { checkInvariants: true });
    await expect(sick.complete('a', { maxTokens: 2 }).result).rejects.toMatchObject({
      code: 'not_a_number',
    });
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
