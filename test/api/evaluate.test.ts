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
