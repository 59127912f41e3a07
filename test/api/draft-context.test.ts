/** The option `draftContext` as users see it: with every way to ask, and what `usage` says. */
import { CachalotError, Engine } from '../../lib/index.js';
import type { DraftContext } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

const CHATML =
  '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n';
const LONG = 'the and ing '.repeat(40);
/** Tiny models say little: a large factor is needed to follow one. */
const FAR = 900;

describe('draftContext', () => {
  let path: string;
  let engine: Engine;
  beforeAll(async () => {
    ({ path } = await writeTinyModel({ template: CHATML }));
    const { path: model } = await writeTinyModel({ template: CHATML, seed: 9 });
    engine = await Engine.load(path, { draft: { model }, checkInvariants: true });
  });
  afterAll(() => engine.dispose());

  const answer = async (draftContext?: DraftContext, more = {}) =>
    engine.complete(LONG, { maxTokens: 20, ignoreEos: true, draftContext, ...more }).result;

  test('usage says what the drafter has read, and how far the answer has followed it', async () => {
    const plain = await answer();
    expect(plain.usage.draftContext).toBeUndefined();
    const neutral = await answer({ tokens: 64, factor: 0 });
    expect(neutral.tokens).toEqual(plain.tokens);
    expect(neutral.logprob).toBe(plain.logprob);
    expect(neutral.usage.draftContext!.factor).toBe(0);
    expect(neutral.usage.draftContext!.tokens).toBeLessThanOrEqual(64);
    const far = await answer({ tokens: 64, factor: FAR });
    expect(far.tokens).not.toEqual(plain.tokens);
    expect(far.tokens).toEqual(
      (await answer({ tokens: 64, factor: FAR }, { draft: false })).tokens,
    );
    expect((await answer({})).usage.draftContext).toEqual({
      tokens: expect.any(Number) as number,
      factor: 10,
    });
  });

  test('a prompt of its own takes the place of what is retrieved', async () => {
    const prompt = engine.tokenize('he er', { bos: true });
    const { usage } = await answer({ prompt, factor: FAR });
    expect(usage.draftContext).toEqual({ tokens: prompt.length, factor: FAR });
  });

  test('contexts before the prompt are read, too, side by side or not', async () => {
    const context = await Promise.all(
      ['he er on at es or '.repeat(8), 'A B C D E F G '.repeat(8)].map((text) =>
        engine.cache.add(text),
      ),
    );
    for (const combine of ['parallel', 'sequence'] as const) {
      const asked = engine.complete('and the', {
        ...{ context, combine, maxTokens: 5, ignoreEos: true },
        draftContext: { tokens: 400, factor: 1 },
      });
      const { usage } = await asked.result;
      expect(usage.draftContext!.tokens).toBe(usage.promptTokens);
    }
  });

  test('a drafter with a short context reads half of what it has room for', async () => {
    const { path: model } = await writeTinyModel({ shape: { context: 128 } });
    await using short = await Engine.load(path, { draft: { model } });
    expect(short.description.draftContextLength).toBe(128);
    const { usage } = await short.complete(LONG, { maxTokens: 4, draftContext: {} }).result;
    expect(usage.draftContext!.tokens).toBeLessThanOrEqual(64);
    expect(usage.draftContext!.tokens).toBeGreaterThan(32);
  });

  test('conversations, sessions, several completions and batches follow it, too', async () => {
    const draftContext = { tokens: 32, factor: FAR };
    const options = { maxTokens: 10, ignoreEos: true, draftContext };
    const messages = [{ role: 'user', content: LONG }] as const;
    const alone = await engine.chat(messages, options).result;
    const session = engine.createSession();
    const first = await session.chat(LONG, options).result;
    expect(first.tokens).toEqual(alone.tokens);
    const second = await session.chat('and the', options).result;
    expect(second.usage.draftContext!.tokens).toBeLessThanOrEqual(32);
    const items = [{ prompt: messages }, { prompt: messages, draftContext: { tokens: 8 } }];
    const results = await engine.createBatch(items, options).results();
    expect(results[0]!.error ?? results[0]!.tokens).toEqual(alone.tokens);
    expect(results[1]!.error ?? results[1]!.usage.draftContext).toMatchObject({ factor: 10 });
  });

  test.each([
    [7, 'an object of options'],
    [{ tokens: 7 }, 'draftContext.tokens'],
    [{ factor: -1 }, 'draftContext.factor'],
    [{ factor: 1001 }, 'draftContext.factor'],
    [{ prompt: [] }, 'draftContext.prompt'],
    [{ prompt: [-1] }, 'draftContext.prompt'],
    [{ context: 5 }, 'context'],
  ])('%j is refused', (draftContext, message) => {
    expect(() => engine.complete('x', { draftContext } as never)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        message: expect.stringContaining(message) as string,
      }) as Error,
    );
  });

  test('what the drafter cannot read is refused', async () => {
    const refused = async (draftContext: DraftContext): Promise<string> =>
      answer(draftContext).then(
        () => 'nothing',
        (error: unknown) => (error as CachalotError).code,
      );
    expect(await refused({ prompt: [1 << 20] })).toBe('invalid_argument');
    expect(await refused({ prompt: new Int32Array(100_000).fill(5) })).toBe('context_overflow');
    await using alone = await Engine.load(path);
    await expect(alone.complete('x', { draftContext: {} }).result).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('draft: { model }') as string,
    });
  });

  test('an abort while the drafter reads ends the request', async () => {
    const controller = new AbortController();
    const running = answer({ tokens: 200 }, { maxTokens: 10_000, signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'aborted' });
    expect((await answer({ tokens: 64, factor: 0 })).tokens).toEqual((await answer()).tokens);
  });
});
