/** Compression where memory is short, and what is told of it. */
import { Engine } from '../../lib/index.js';
import type { LoadOptions } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';

const random = new Random(9);
const ids = (n: number) => Array.from({ length: n }, () => 3 + random.below(300));

let path: string;
let perToken: number;
const engines: Engine[] = [];
const load = async (tokens?: number, more: LoadOptions = {}) => {
  const kv = tokens === undefined ? {} : { kv: { bytes: tokens * perToken } };
  engines.push(await Engine.load(path, { checkInvariants: true, ...kv, ...more }));
  return engines.at(-1)!;
};
beforeAll(async () => {
  ({ path } = await writeTinyModel({ shape: { context: 8192 } }));
  const engine = await Engine.load(path);
  perToken = engine.description.kvBytesPerToken;
  await engine.dispose();
});
afterEach(() => Promise.all(engines.splice(0).map((one) => one.dispose())));

test('a context for whose compression there is no memory is refused, and leaves nothing', async () => {
  const engine = await load(1024);
  const compress = { policy: 'recent', budget: 900 } as const;
  const added = engine.cache.add(ids(1000), { pin: true, compress });
  await expect(added).rejects.toMatchObject({ code: 'kv_budget_exceeded' });
  await expect(added).rejects.toThrow(/`kv\.bytes` more, or keep less/);
  const { usage } = await engine.completeTokens(ids(1000), { maxTokens: 2 }).result;
  expect(usage.completionTokens).toBe(2);
  await expect(engine.attention(ids(1000))).rejects.toMatchObject({ code: 'kv_budget_exceeded' });
});

test('priority and ttl are those of what is left', async () => {
  const engine = await load(1024);
  const tokens = ids(300);
  const compress = { policy: 'recent', budget: 60 } as const;
  const doc = await engine.cache.add(tokens, { compress, priority: 100 });
  const ask = () => engine.completeTokens(ids(6), { context: doc, maxTokens: 1 }).result;
  for (let i = 0; i < 8; i++) await engine.completeTokens(ids(300), { maxTokens: 1 }).result;
  expect(engine.stats().edits).toBe(1);
  const { usage } = await ask();
  expect(usage.cachedTokens).toBe(300);
  expect(engine.stats().edits).toBe(1);
  // Of the lowest priority it goes before texts that were used long ago.
  const other = await engine.cache.add(ids(300), { compress, priority: 0 });
  for (let i = 0; i < 8; i++) await engine.completeTokens(ids(300), { maxTokens: 1 }).result;
  await engine.completeTokens(ids(6), { context: other, maxTokens: 1 }).result;
  expect(engine.stats().edits).toBe(3);
});

test('usage.kv is told however an answer ends', async () => {
  const engine = await load();
  const compress = { policy: 'recent', budget: 60 } as const;
  const long = { maxTokens: 200, ignoreEos: true, compress } as const;
  const prompt = ids(300);
  const whole = await engine.completeTokens(prompt, { ...long, maxTokens: 40 }).result;
  const stop = whole.text.slice(20, 24);
  const stopped = await engine.completeTokens(prompt, { ...long, stop }).result;
  expect(stopped.finishReason).toBe('stop');
  const read = 300 + stopped.tokens.length - 1;
  expect(stopped.usage.kv).toMatchObject({ of: read, kept: read - 240 });
  const left = engine.completeTokens(prompt, long);
  for await (const piece of left) if (piece) break;
  expect((await left.result).usage.kv!.of).toBeGreaterThanOrEqual(300);
  // Without an option, of a context that is compressed.
  const doc = await engine.cache.add(prompt, { compress });
  const asked = await engine.completeTokens(ids(10), { context: doc, maxTokens: 3 }).result;
  expect(asked.usage.kv).toMatchObject({ kept: 60 + 12, of: 312 });
  expect(asked.usage.cachedTokens).toBe(300);
  const session = engine.createSession();
  await session.complete('the inn', { maxTokens: 2, compress: { policy: 'recent', budget: 4 } })
    .result;
  expect((await session.complete(' the', { maxTokens: 2 }).result).usage.kv).toBeDefined();
});

test('edits one after the other are no more memory than one', async () => {
  const engine = await load(3000);
  const at = Array.from({ length: 14 }, (_, i) => 64 * (i + 1));
  const compress = { policy: 'recent', budget: 60, at } as const;
  const prompts = Array.from({ length: 12 }, () => ({ tokens: ids(960) }));
  const batch = engine.createBatch(prompts, { maxTokens: 32, ignoreEos: true, compress });
  for (const { error } of await batch.results()) expect(error).toBeUndefined();
  const { outputs, outputSteps } = engine.stats();
  expect(outputs / outputSteps).toBeGreaterThan(2);
});

test('what keeps all is no compression', async () => {
  const engine = await load();
  const doc = await engine.cache.add(ids(100), { compress: { policy: 'chelsea', keep: 1 } });
  const { from } = await engine.score(ids(9), { context: doc });
  expect(from).toBe(0);
  const small = await engine.cache.compress(doc, { policy: 'recent', keep: 0.5 });
  expect(small.kv).toMatchObject({ kept: 50, of: 100 });
});

test('progress of a context that is compressed on the way computes nothing twice', async () => {
  const engine = await load();
  const tokens = ids(5000);
  const compress = { policy: 'recent', budget: 60, at: [1000, 2000, 3000, 4000] } as const;
  const seen: number[] = [];
  const onProgress = ({ tokens: n }: { tokens: number }) => void seen.push(n);
  await engine.cache.add(tokens, { compress, onProgress });
  expect(seen).toEqual([2048, 4096, 5000]);
  expect(engine.stats().rows).toBe(5000);
});

test('too many edits are refused, and so is growth of a context', async () => {
  const engine = await load();
  const recent = { policy: 'recent', budget: 40 } as const;
  const at = Array.from({ length: 5000 }, (_, i) => i + 1);
  const many = engine.completeTokens(ids(6000), { compress: { ...recent, at } }).result;
  await expect(many).rejects.toThrow(/compressed 5001 times, and 4096 are the most/);
  const grows = engine.cache.add(ids(50), { compress: { ...recent, every: 64 } });
  await expect(grows).rejects.toThrow(/does not grow/);
});
