/** Heads that look things up are found by where they look. */
import { Engine, retrievalHeads } from '../../lib/index.js';
import type { Attention } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

/** Four heads of a model that was made up: one looks at what followed its token before, one at where it stood, one at its own token, one at all. */
const source = {
  description: { vocabulary: 1e9, contextLength: 2048, layers: 2, model: 'made up' },
  async attention(given: readonly number[]): Promise<Attention> {
    const tokens = [...given];
    const n = tokens.length;
    const before = tokens.flatMap((token, i) => (i < n - 1 && token === tokens[n - 1] ? [i] : []));
    const shares = (at: readonly number[]) =>
      tokens.map((_, i) => (at.includes(i) ? 1 / at.length : 0));
    const heads = [
      shares(before.map((i) => i + 1)),
      shares(before),
      shares([n - 1]),
      tokens.map(() => 1 / n),
    ];
    return { tokens, heads: 4, values: Float32Array.from(heads.flat()) };
  },
};

test('a head is worth what it gives to echoes and to what followed them', async () => {
  const seen: number[] = [];
  const profile = await retrievalHeads(source, {
    tokens: 100,
    rows: 5,
    onProgress: ({ done, total }) => void seen.push(done / total),
  });
  expect(profile).toMatchObject({ model: 'made up', layers: 2, kvHeads: 2 });
  const [induction, echo, own, all] = profile.scores;
  expect(induction).toBeCloseTo(1, 5);
  expect(echo).toBeCloseTo(1, 5);
  expect(own).toBe(0);
  expect(all).toBeLessThan(0.03);
  expect(seen).toEqual([0.2, 0.4, 0.6, 0.8, 1]);
  const other = await retrievalHeads(source, { tokens: 100, rows: 5, seed: 8 });
  expect(other.scores[0]).toBeCloseTo(1, 5);
});

test('of a real engine: a profile that the compression razor takes', async () => {
  const { path } = await writeTinyModel();
  await using engine = await Engine.load(path);
  const heads = await retrievalHeads(engine, { tokens: 16, rows: 3 });
  expect(heads.scores).toHaveLength(heads.layers * heads.kvHeads);
  for (const score of heads.scores) expect(score).toBeGreaterThan(0);
  const compress = { policy: 'razor', heads, retrieval: 0.25, least: 8, divisor: 10 } as const;
  const ids = Array.from({ length: 100 }, (_, i) => 3 + (i % 60));
  const { usage } = await engine.completeTokens(ids, { maxTokens: 2, compress }).result;
  const whole = Math.round(0.25 * heads.scores.length);
  const cut = 4 + 1 + 10; // sinks, the key for all between, the last ones
  const kept = (whole * 100 + (heads.scores.length - whole) * cut) / heads.scores.length;
  expect(usage.kv).toMatchObject({ kept: kept + 1, of: 101 });
  await expect(retrievalHeads(engine, { tokens: 1 << 15 })).rejects.toMatchObject({
    code: 'context_overflow',
  });
  await expect(engine.attention(ids, { rows: 257 })).rejects.toThrow(/rows/);
});
