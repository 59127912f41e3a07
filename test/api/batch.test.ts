import { setTimeout as sleep } from 'node:timers/promises';

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
    await sleep(20);
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
    // More than run at once: when the first is done, the last have not begun.
    const batch = engine.createBatch(Array<string>(400).fill('a'), { maxTokens: 20 });
    for await (const { index } of batch) if (index >= 0) break;
    const results = await batch.results();
    const aborted = results.filter(({ error }) => error?.code === 'aborted');
    expect(aborted.length).toBeGreaterThan(0);
    expect(results.every(({ error }) => error === undefined || error.code === 'aborted')).toBe(
      true,
    );
  });
});
