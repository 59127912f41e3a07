import { Context, Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

const TEMPLATE =
  '{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}';
const TEXT = 'the and the inn '.repeat(30).trim();

describe('contexts', () => {
  let path: string;
  let engine: Engine;
  beforeAll(async () => void ({ path } = await writeTinyModel({ template: TEMPLATE })));
  beforeEach(async () => void (engine = await Engine.load(path, { checkInvariants: true })));
  afterEach(() => engine.dispose());

  test('a prompt after a context computes only its own tokens, and answers as without', async () => {
    const plain = await engine.completeTokens(
      [...(await engine.cache.add(TEXT)).tokens, ...engine.tokenize('the')],
      { maxTokens: 6 },
    ).result;
    engine.cache.clear();
    const doc = await engine.cache.add(TEXT, { pin: true });
    const { usage, tokens } = await engine.complete(' the', { context: doc, maxTokens: 6 }).result;
    expect(usage.cachedTokens).toBe(doc.length);
    expect(tokens).toEqual(plain.tokens);
  });

  test('batches, sessions and chats begin with it', async () => {
    const doc = await engine.cache.add(TEXT);
    const questions = ['the', 'and', 'inn'];
    const batch = engine.createBatch(
      questions.map((prompt) => ({ context: doc, prompt })),
      { maxTokens: 4 },
    );
    const results = await batch.results();
    expect(results.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
    expect(batch.stats.sharedTokens).toBeGreaterThanOrEqual(3 * doc.length);
    const session = engine.createSession({ context: doc, system: 'sys' });
    const { usage } = await session.chat('one', { maxTokens: 3 }).result;
    expect(usage.cachedTokens).toBe(doc.length);
    expect(session.tokens.slice(0, doc.length)).toEqual(doc.tokens);
    // The template's own first token of a text is not written again in the middle.
    expect(session.tokens.filter((id) => id === 1)).toHaveLength(1);
    const second = await session.chat('two', { maxTokens: 3 }).result;
    expect(second.usage.cachedTokens).toBeGreaterThan(doc.length);
  });

  test('a pinned context survives what evicts an ordinary one, and a released one does not', async () => {
    await engine.dispose();
    engine = await Engine.load(path, { kv: { bytes: 2 << 20, format: 'f32' } });
    const fill = async () => {
      for (let seed = 0; seed < 12; seed++) {
        const other = Array.from({ length: 400 }, (_, i) => 3 + ((i * i + seed * 37) % 300));
        await engine.completeTokens(other, { maxTokens: 1 }).result;
      }
    };
    const cachedOf = async (context: Context) =>
      (await engine.complete('the', { context, maxTokens: 1 }).result).usage.cachedTokens;
    const [kept, ordinary] = [
      await engine.cache.add(TEXT, { pin: true }),
      await engine.cache.add(`and ${TEXT}`),
    ];
    await fill();
    expect(await cachedOf(kept)).toBeGreaterThanOrEqual(Math.floor(kept.length / 32) * 32);
    expect(await cachedOf(ordinary)).toBeLessThan(32);
    await engine.cache.pin(ordinary);
    expect(ordinary.pinned).toBe(true);
    await fill();
    expect(await cachedOf(ordinary)).toBeGreaterThanOrEqual(Math.floor(ordinary.length / 32) * 32);
    const { ids } = kept.content;
    engine.cache.release(kept);
    for (let i = 0; i < 5; i++) await fill(); // what has been hit is worth more than what has not
    const { usage } = await engine.completeTokens([...ids, 5], { maxTokens: 1 }).result;
    expect(usage.cachedTokens).toBeLessThan(ids.length - 32);
  });

  test('pins that leave no room fail the request that needs it, and nothing else', async () => {
    await engine.dispose();
    engine = await Engine.load(path, { kv: { bytes: 1 << 19, format: 'f32' } });
    const room = engine.stats().kvBytes;
    const big = await engine.cache.add(
      Array.from({ length: 480 }, (_, i) => 3 + ((i * 7) % 300)),
      { pin: true },
    );
    expect(engine.stats().kvBytesInUse / room).toBeGreaterThan(0.4);
    const other = Array.from({ length: 500 }, (_, i) => 3 + ((i * 11) % 300));
    const more = await Promise.allSettled([
      engine.cache.add(other, { pin: true }),
      engine.cache.add([...other].reverse(), { pin: true }),
    ]);
    const failed = more.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    expect(failed.map(({ reason }) => (reason as { code: string }).code)).toContain(
      'kv_budget_exceeded',
    );
    expect(String(failed[0]!.reason)).toContain('pinned');
    const { usage } = await engine.complete('the', { context: big, maxTokens: 2 }).result;
    expect(usage.cachedTokens).toBeGreaterThanOrEqual(480);
  });

  test('progress is told, in growing numbers up to the end', async () => {
    const { path: long } = await writeTinyModel({ shape: { context: 8192, layers: 1 } });
    await using own = await Engine.load(long);
    const seen: number[] = [];
    const tokens = Array.from({ length: 5000 }, (_, i) => 3 + ((i * 13) % 300));
    await own.cache.add(tokens, {
      onProgress: (progress) => {
        expect(progress.totalTokens).toBe(5000);
        seen.push(progress.tokens);
      },
    });
    expect(seen).toEqual([2048, 4096, 5000]);
  });

  test('contexts of others, released ones, and things that are none are refused', async () => {
    await using other = await Engine.load(path);
    const foreign = await other.cache.add(TEXT);
    const invalid = expect.objectContaining({ code: 'invalid_argument' }) as Error;
    expect(() => engine.complete('x', { context: foreign })).toThrow(invalid);
    expect(() => engine.createSession({ context: {} as Context })).toThrow(invalid);
    const [result] = await engine.createBatch([{ context: foreign, prompt: 'x' }]).results();
    expect(result!.error).toMatchObject({ code: 'invalid_argument' });
    const doc = await engine.cache.add(TEXT, { pin: true });
    engine.cache.release(doc);
    engine.cache.release(doc);
    expect(doc).toMatchObject({ released: true, pinned: false });
    expect(() => engine.complete('x', { context: doc })).toThrow(
      expect.objectContaining({ code: 'disposed' }) as Error,
    );
    await expect(engine.cache.add(TEXT, { pinned: true } as never)).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    await expect(engine.cache.add([])).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(engine.cache.add(TEXT, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
  });

  test('fewer tokens than a block can be pinned, and used', async () => {
    using short = await engine.cache.add('the', { pin: true });
    const { finishReason } = await engine.complete(' and', { context: short, maxTokens: 2 }).result;
    expect(finishReason).toBe('length');
  });
});
