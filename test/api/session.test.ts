import { existsSync } from 'node:fs';

import { CachalotError, Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import { sharedModels } from '../real-models.js';

const TEMPLATE =
  "{% for m in messages %}{% if m.role == 'assistant' %}{{ 'a:\n' + m.content + eos_token }}{% else %}{{ m.role + ': ' + m.content + eos_token }}{% endif %}" +
  "{% if loop.last and add_generation_prompt %}{{ 'a:\n' }}{% endif %}{% endfor %}";

describe('a session', () => {
  let engine: Engine;
  let path: string;
  beforeAll(async () => {
    ({ path } = await writeTinyModel({ template: TEMPLATE }));
    engine = await Engine.load(path, { checkInvariants: true });
  });
  afterAll(() => engine.dispose());

  test('a second turn prefills exactly its new tokens, and its logits are those of a cold run', async () => {
    const session = engine.createSession({ system: 'sys' });
    const first = await session.chat('one', { maxTokens: 20 }).result;
    const before = session.tokens;
    expect(before).toHaveLength(first.usage.promptTokens + 20);
    const second = await session.chat('two', { maxTokens: 5 }).result;
    // The last token of an answer is drawn but never computed: it belongs to the new ones.
    expect(second.usage.cachedTokens).toBe(before.length - 1);
    const context = session.tokens;
    expect(context.slice(0, before.length)).toEqual(before);
    const [warm] = await engine.logits(context);
    await using cold = await Engine.load(path);
    expect((await cold.logits(context))[0]).toEqual(warm);
    const repeated = await cold.completeTokens(context.slice(0, -5), { maxTokens: 5 }).result;
    expect(repeated.tokens).toEqual(second.tokens);
  });

  test('keeps the conversation, and forgets a turn that failed', async () => {
    const session = engine.createSession();
    const { text } = await session.chat('one', { maxTokens: 4 }).result;
    await expect(
      session.chat('two', { signal: AbortSignal.abort('no') }).result,
    ).rejects.toMatchObject({ code: 'aborted' });
    expect(session.messages).toEqual([
      { role: 'user', content: 'one' },
      { role: 'assistant', content: text },
    ]);
    await session.chat('three', { maxTokens: 1 }).result;
    expect(session.messages).toHaveLength(4);
  });

  test('complete continues where it stopped', async () => {
    const session = engine.createSession();
    const first = await session.complete('the ', { maxTokens: 3 }).result;
    const second = await session.complete(' and', { maxTokens: 3 }).result;
    expect(second.usage.promptTokens).toBe(
      first.usage.promptTokens + 3 + engine.tokenize(' and').length - 1, // no space before what goes on
    );
    expect(second.usage.cachedTokens).toBe(first.usage.promptTokens + 2);
  });

  test('answers one at a time', async () => {
    const session = engine.createSession();
    const first = session.chat('one', { maxTokens: 3 });
    expect(() => session.chat('two')).toThrow(
      expect.objectContaining({ code: 'session_busy' }) as Error,
    );
    await first.result;
    await session.chat('two', { maxTokens: 1 }).result;
  });

  test('a turn that is left makes room for the next', async () => {
    const session = engine.createSession();
    for await (const token of session.chat('one', { maxTokens: 400, ignoreEos: true }).tokens())
      if (token.id >= 0) break;
    const second = await session.chat('two', { maxTokens: 3 }).result;
    expect(second.tokens).toHaveLength(3);
  });

  test('chat without a template says what to do', async () => {
    await using plain = await Engine.load((await writeTinyModel()).path);
    await expect(plain.createSession().chat('hi').result).rejects.toMatchObject({
      code: 'template_missing',
      message: expect.stringContaining('complete') as string,
    });
  });
});

describe('a real conversation', () => {
  const { minimind } = sharedModels;
  (minimind && existsSync(minimind) ? test : test.skip)(
    'MiniMind: a second turn reuses the whole first one',
    async () => {
      await using engine = await Engine.load(minimind!);
      const session = engine.createSession();
      const first = await session.chat('What is the capital of France?').result;
      expect(first.text).toBe('The capital of France is Paris.');
      expect(first.finishReason).toBe('stop');
      const before = session.tokens.length;
      const second = await session.chat('And of Italy?', { maxTokens: 10 }).result;
      expect(second.usage.cachedTokens).toBe(before - 1);
      await using cold = await Engine.load(minimind!);
      const again = await cold.completeTokens(session.tokens.slice(0, -second.tokens.length), {
        maxTokens: 10,
      }).result;
      expect(again.tokens).toEqual(second.tokens);
    },
  );
});

test('errors are CachalotError with a code', () => {
  const error = new CachalotError('io', 'x');
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: 'CachalotError', code: 'io' });
});
