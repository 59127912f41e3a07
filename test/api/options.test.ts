import { Engine } from '../../lib/index.js';
import type { LoadOptions } from '../../lib/index.js';
import { tinyVocabulary, writeTinyModel } from '../fixtures/tiny-model.js';

const ids = (seed: number, n: number) =>
  Array.from({ length: n }, (_, i) => 3 + ((seed * 31 + i * 7) % 300));

describe('options', () => {
  let engine: Engine;
  let path: string;
  beforeAll(async () => {
    ({ path } = await writeTinyModel());
    engine = await Engine.load(path);
  });
  afterAll(() => engine.dispose());

  test.each([
    [{ temprature: 1 }, 'invalid_argument', 'unknown option `temprature`'],
    [
      { temperature: -1 },
      'invalid_argument',
      'expected a number from 0 to 100 for `temperature`, received -1',
    ],
    [{ temperature: NaN }, 'invalid_argument', '`temperature`'],
    [{ maxTokens: 1.5 }, 'invalid_argument', '`maxTokens`'],
    [{ stop: [''] }, 'invalid_argument', '`stop`'],
    [{ stopTokens: [1.5] }, 'invalid_argument', '`stopTokens`'],
    [{ signal: { aborted: false, addEventListener: () => 0 } }, 'invalid_argument', '`signal`'],
    [{ schema: 5 }, 'invalid_argument', '`schema`'],
    [{ __proto__x: 1 }, 'invalid_argument', 'unknown option'],
  ])('%j is refused', (options, code, message) => {
    expect(() => engine.complete('x', options as never)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining(message) as string,
      }) as Error,
    );
  });

  test.each([
    [{ threads: 0 }, 'invalid_argument'],
    [{ kv: { format: 'int3' } }, 'invalid_argument'],
    [{ kv: { size: 1 } }, 'invalid_argument'],
    [{ contextLength: 100_000 }, 'invalid_argument'],
    [{ device: 'gpu' }, 'invalid_argument'],
    [{ draft: 'x' }, 'invalid_argument'],
    [{ adapters: ['x'] }, 'not_supported'],
  ])('Engine.load with %j is refused', async (options, code) => {
    await expect(Engine.load(path, options as LoadOptions)).rejects.toMatchObject({ code });
  });

  test('an id that the vocabulary does not have is refused by its number, wherever it is given', async () => {
    const { vocabulary } = engine.description;
    const message = expect.stringContaining(String(vocabulary)) as string;
    const refusal = { code: 'invalid_argument', message };
    const own = (error: object) => expect.objectContaining(error) as Error;
    expect(() => engine.detokenize([3, vocabulary])).toThrow(
      own({
        code: 'invalid_argument',
        message: `expected ids below ${vocabulary}, the size of the vocabulary, for \`tokens\`, received ${vocabulary}`,
      }),
    );
    expect(() => engine.detokenize([-1])).toThrow(own({ code: 'invalid_argument' }));
    expect(engine.detokenize([vocabulary - 1])).not.toBe('');
    const wrong = [3, vocabulary];
    const errors: unknown[] = [];
    for await (const { error } of engine.createBatch([{ tokens: wrong }], { maxTokens: 1 }))
      errors.push(error);
    expect(errors).toEqual([expect.objectContaining(refusal)]);
    await expect(engine.score(wrong)).rejects.toMatchObject(refusal);
    await expect(engine.logits(wrong)).rejects.toMatchObject(refusal);
    await expect(engine.cache.add(wrong)).rejects.toMatchObject(refusal);
    await expect(engine.completeTokens(wrong).result).rejects.toMatchObject(refusal);
    for (const options of [{ stopTokens: [vocabulary] }, { logitBias: { [vocabulary]: 1 } }])
      await expect(engine.completeTokens([3], options).result).rejects.toMatchObject(refusal);
  });

  test('an empty prompt and one longer than the context are refused', async () => {
    await expect(engine.completeTokens([]).result).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    await expect(engine.completeTokens(ids(1, 512)).result).rejects.toMatchObject({
      code: 'context_overflow',
      message: expect.stringContaining('512 tokens') as string,
    });
  });

  test.each([
    ['tokens that are no integers', () => engine.completeTokens([1.5])],
    ['tokens that are no numbers', () => engine.completeTokens(['a'] as never)],
    ['a text that is none', () => engine.complete(5 as never)],
    ['no messages', () => engine.chat([])],
    ['a message without text', () => engine.chat([{ role: 'user' } as never])],
    ['a message of nobody', () => engine.chat([{ role: 'root' as never, content: 'x' }])],
    ['a chat that is no text', () => engine.createSession().chat(null as never)],
  ])('%s: refused at once', (_, call) => {
    expect(call).toThrow(expect.objectContaining({ code: 'invalid_argument' }) as Error);
  });

  test('logits and score check what they are given', async () => {
    await expect(engine.logits([1, NaN])).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(engine.logits([1], { rows: ['0'] as never })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    await expect(engine.score([1, 2], { rows: [1] } as never)).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  test('what has no implementation yet says so', () => {
    expect(() => engine.embed()).toThrow(
      expect.objectContaining({ code: 'not_supported' }) as Error,
    );
  });

  test('tokenize and detokenize are inverse', () => {
    const { tokens } = tinyVocabulary();
    expect(engine.tokenize('the')).toEqual([tokens.indexOf('▁the')]);
    expect(engine.detokenize(engine.tokenize('the inn'))).toBe(' the inn');
  });
});
