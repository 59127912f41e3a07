/** The option `regex` as users see it: every answer that ends matches, and every one that is cut off could have gone on. */
import { Engine } from '../../lib/index.js';
import type { GenerateOptions } from '../../lib/index.js';
import { expectSameInCompany } from '../fixtures/same-in-company.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import { emulatedLibrary, testing } from '../testing.js';

const TEMPLATE =
  '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n';

const PATTERNS = [
  'yes|no|perhaps',
  '[A-Z][a-z]{2,8}( [A-Z][a-z]{2,8})?',
  '-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,3})?',
  '[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9]',
  '"(?:[^"\\\\]|\\\\["\\\\nt]){0,20}"',
  '(é|𝄞|日本)+!',
  '.*',
];

describe('regex', () => {
  let path: string;
  let engine: Engine;
  beforeAll(async () => {
    ({ path } = await writeTinyModel({ template: TEMPLATE }));
    engine = await Engine.load(path, { checkInvariants: true });
  });
  afterAll(() => engine.dispose());

  const answer = (regex: string, more: GenerateOptions = {}, who = engine) =>
    who.complete('the and ing', { maxTokens: 40, temperature: 1.5, regex, ...more }).result;

  const isBeginning = (pattern: string, text: string) =>
    Array.from(testing.readRegex(pattern, false, Buffer.from(text))).at(-1)! > 0;

  test.each(PATTERNS)('%s: answers at a high temperature', async (regex) => {
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, seed) =>
        answer(regex, { seed, maxTokens: 5 + 3 * (seed % 16) }),
      ),
    );
    const whole = new RegExp(`^(?:${regex})$`, 'u');
    for (const { text, finishReason } of results)
      if (finishReason === 'stop') expect(text).toMatch(whole);
      else if (!text.includes('\ufffd'))
        expect([text, isBeginning(regex, text)]).toEqual([text, true]);
    if (regex !== '.*')
      expect(results.some(({ finishReason }) => finishReason === 'stop')).toBe(true);
  });

  test('a pattern of everything draws what is drawn without one, to the bit', async () => {
    const everything = '[\\u0000-\\u007f]*';
    const EOS = 2;
    const forbidden = Array.from({ length: engine.description.vocabulary }, (_, id) => id).filter(
      // eslint-disable-next-line no-control-regex
      (id) => id !== EOS && !/^[\u0000-\u007f]+$/.test(engine.detokenize([id])),
    );
    const logitBias = Object.fromEntries(forbidden.map((id) => [id, -Infinity]));
    for (const temperature of [0, 0.8])
      for (const seed of [1, 2, 3]) {
        const how = { temperature, seed, topLogprobs: 3 };
        const plain = await answer(everything, { ...how, regex: undefined, logitBias });
        const matched = await answer(everything, how);
        expect([matched.tokens, matched.logprobs]).toEqual([plain.tokens, plain.logprobs]);
      }
  });

  test('the same bits alone, in a batch of different patterns, and with guesses', async () => {
    await expectSameInCompany(path, engine, 16, (who, i, draft) =>
      answer(PATTERNS[i % PATTERNS.length]!, { seed: i, temperature: i % 2, draft }, who),
    );
  });

  test('conversations, sessions and batches match, too', async () => {
    const regex = '[a-z]{3}';
    const { text } = await engine.chat([{ role: 'user', content: 'Hi' }], { regex }).result;
    expect(text).toMatch(/^[a-z]{3}$/);
    const session = engine.createSession();
    for (let i = 0; i < 3; i++)
      expect((await session.chat('Hi', { regex }).result).text).toMatch(/^[a-z]{3}$/);
    const results = await engine
      .createBatch([{ prompt: 'the', regex: 'a+b' }, 'and'], { maxTokens: 3 })
      .results();
    expect(results.map(({ error }) => error)).toEqual([undefined, undefined]);
  });

  test('where nothing may follow, the answer ends at once', async () => {
    const { tokens, text, finishReason } = await answer('yes', { temperature: 0 });
    expect([text, finishReason]).toEqual(['yes', 'stop']);
    expect(engine.detokenize(tokens)).toBe('yes');
    expect((await answer('', {})).text).toBe('');
  });

  test('a bias that forbids all that is allowed is told', async () => {
    const ids = Array.from({ length: engine.description.vocabulary }, (_, id) => id);
    const all = ids.filter((id) => /^x+$/.test(engine.detokenize([id])));
    const logitBias = Object.fromEntries(all.map((id) => [id, -Infinity]));
    await expect(answer('x+', { logitBias })).rejects.toMatchObject({ code: 'grammar_failed' });
  });

  test.each([
    ['a number', 7, 'a string'],
    ['a long text', 'a'.repeat(70_000), 'at most 65536'],
    ['half of a character', '\ud800', 'characters'],
  ])('%s is refused', (_, regex, message) => {
    expect(() => engine.complete('x', { regex } as never)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        message: expect.stringContaining(message) as string,
      }) as Error,
    );
  });

  test.each(['(', '(?=a)', '[^\\u{0}-\\u{10ffff}]', '(?:a{60000}){60000}'])(
    '%s: the result says what is wrong',
    async (regex) => {
      await expect(answer(regex)).rejects.toMatchObject({ code: 'invalid_argument' });
      expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
    },
  );

  test.each(emulatedLibrary === undefined ? [] : ['an emulated GPU'])('on %s', async () => {
    const internal = { cudaLibrary: emulatedLibrary!, alwaysDrafts: true };
    await using gpu = await Engine.loadWith(path, { device: 'cuda' }, internal);
    const asked = [PATTERNS[0]!, PATTERNS[3]!];
    const how = { temperature: 1, seed: 3 };
    const alone = [];
    for (const regex of asked)
      alone.push((await answer(regex, { ...how, draft: false }, gpu)).text);
    const together = await Promise.all(asked.map((regex) => answer(regex, how, gpu)));
    expect(together.map(({ text }) => text)).toEqual(alone);
    for (const [i, text] of alone.entries())
      expect(text).toMatch(new RegExp(`^(?:${asked[i]!})$`, 'u'));
  });
});
