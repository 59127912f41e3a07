/** Guessing as users see it: the options `draft` and `prediction`, what `usage` says, and everything that may end an answer in the middle of a guess. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { Engine } from '../../lib/index.js';
import type { Draft, GenerateOptions, LoadOptions } from '../../lib/index.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const LOOKUP: Draft = { lookup: true, recycle: false };

/** Goes on for longer than whatever keeps its reader from the next turn of the loop. */
const ENDLESS = { maxTokens: 100_000, ignoreEos: true };

describe('guessing', () => {
  let path: string;
  let engine: Engine; // tries every guess
  let plain: Engine; // none, unless a request asks
  beforeAll(async () => {
    ({ path } = await writeTinyModel());
    engine = await Engine.loadWith(path, { checkInvariants: true }, { alwaysDrafts: true });
    plain = await Engine.load(path, { draft: false });
  });
  afterAll(() => Promise.all([engine.dispose(), plain.dispose()]));

  const answer = async (who: Engine, options: GenerateOptions, prompt = 'the and ing') =>
    who.complete(prompt, { maxTokens: 60, ignoreEos: true, ...options }).result;

  test('usage says how many guesses were tried and right; without any it says nothing', async () => {
    const expected = await answer(plain, {});
    expect(expected.usage.draft).toBeUndefined();
    expect((await answer(engine, { draft: false })).usage.draft).toBeUndefined();
    await answer(engine, { draft: LOOKUP, namespace: 'usage' });
    const before = engine.stats();
    const { usage, tokens } = await answer(engine, { draft: LOOKUP, namespace: 'usage' });
    const after = engine.stats();
    expect(tokens).toEqual(expected.tokens);
    const { proposed, accepted, stepsSaved } = usage.draft!;
    expect(stepsSaved).toBe(accepted);
    expect(accepted).toBeGreaterThan(30); // the text of the request before is copied
    expect(accepted).toBeLessThanOrEqual(proposed);
    expect(after.draftedTokens - before.draftedTokens).toBe(proposed);
    expect(after.acceptedTokens - before.acceptedTokens).toBe(accepted);
    expect(after.steps - before.steps).toBeLessThan(60 - accepted + 2);
    expect(engine.explain().some(({ drafted }) => drafted > 0)).toBe(true);
  });

  test('a text that is expected is followed, also after a difference', async () => {
    const { text, tokens } = await answer(plain, { temperature: 1, seed: 4 });
    const guessed = async (prediction: string) => {
      const options = { temperature: 1, seed: 4, draft: false, prediction } as const;
      const result = await answer(engine, options);
      expect(result.tokens).toEqual(tokens);
      return result.usage.draft?.accepted ?? 0;
    };
    const nothing = await guessed('');
    expect(nothing).toBe(0);
    expect(await guessed(text)).toBeGreaterThan(0);
    expect(await guessed('日本日本日本')).toBeLessThanOrEqual(2);
  });

  test.each<[string, GenerateOptions]>([
    ['maxTokens', { maxTokens: 23 }],
    ['a stop token', {}],
    ['a stop string', {}],
    ['the end of the context', { maxTokens: 1 << 20 }],
  ])('%s ends an answer where it would end without guesses', async (name, options) => {
    const whole = await answer(plain, {});
    const how: GenerateOptions = {
      ...options,
      ...(name === 'a stop token' && { stopTokens: [whole.tokens[31]!] }),
      ...(name === 'a stop string' && { stop: whole.text.slice(25, 29) }),
    };
    const expected = await answer(plain, how);
    for (let i = 0; i < 2; i++) {
      const result = await answer(engine, { ...how, draft: 'auto', namespace: name });
      expect(result.text).toBe(expected.text);
      expect(result.tokens).toEqual(expected.tokens);
      expect(result.logprob).toBe(expected.logprob);
      expect(result.finishReason).toBe(expected.finishReason);
    }
  });

  test('an answer is continued, and cut, as without guesses', async () => {
    const talk = async (who: Engine, draft: Draft) => {
      const session = who.createSession();
      const said: unknown[] = [];
      for (const text of ['the', 'and the', 'in the']) {
        const turn = session.complete(text, { maxTokens: 20, draft, ignoreEos: true });
        const { tokens, logprob } = await turn.result;
        said.push(tokens, logprob);
      }
      return said;
    };
    const expected = await talk(plain, false);
    for (let i = 0; i < 2; i++) expect(await talk(engine, 'auto')).toEqual(expected);
  });

  test('an abort in the middle leaves nothing behind', async () => {
    const { path: long } = await writeTinyModel({ shape: { context: 131_072 } });
    const internal = { alwaysDrafts: true };
    await using engine = await Engine.loadWith(long, { checkInvariants: true }, internal);
    for (let i = 0; i < 20; i++) {
      const controller = new AbortController();
      const { signal } = controller;
      const generation = engine.complete('the', { ...ENDLESS, signal });
      let n = 0;
      const reading = (async () => {
        for await (const { id } of generation.tokens()) if (id >= 0 && ++n > i) controller.abort();
      })();
      await expect(reading).rejects.toMatchObject({ code: 'aborted' });
    }
    while (engine.stats().running + engine.stats().waiting > 0) await sleep(5);
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
  });

  test('other namespaces are not copied from', async () => {
    const proposed = async (namespace: string) =>
      (await answer(engine, { draft: LOOKUP, namespace }, 'he er th')).usage.draft?.proposed ?? 0;
    const first = await proposed('one');
    expect(await proposed('one')).toBeGreaterThan(first);
    expect(await proposed('two')).toBe(first);
  });

  test.each([
    [{ draft: 'always' }, '"auto", false or an object'],
    [{ draft: true }, '"auto", false or an object'],
    [{ draft: { model: 'x' } }, 'draft.model'],
    [{ draft: { maxTokens: 65 } }, 'draft.maxTokens'],
    [{ draft: { lookup: 1 } }, 'draft.lookup'],
    [{ prediction: 7 }, 'prediction'],
    [{ prediction: 'a'.repeat((1 << 22) + 1) }, 'characters'],
  ])('%j is refused', (options, message) => {
    const refusal = {
      code: 'invalid_argument',
      message: expect.stringContaining(message) as string,
    };
    expect(() => engine.complete('x', options as never)).toThrow(
      expect.objectContaining(refusal) as Error,
    );
  });

  test('a draft model guesses, in "auto" too, and may be left out; one with another vocabulary is refused', async () => {
    const internal = { alwaysDrafts: true };
    await using with2 = await Engine.loadWith(path, { draft: { model: path } }, internal);
    const expected = await answer(plain, {});
    const guessed = await answer(with2, { draft: { lookup: false, recycle: false } });
    expect(guessed.tokens).toEqual(expected.tokens);
    expect(guessed.usage.draft!.accepted).toBeGreaterThan(30); // it is the model itself
    const without = await answer(with2, { draft: { lookup: false, recycle: false, model: false } });
    expect(without.usage.draft).toBeUndefined();
    const bytes = readFileSync(path);
    bytes.write('▁anx', bytes.indexOf('▁and')); // one token of the vocabulary
    const other = temporaryPath('other.gguf');
    writeFileSync(other, bytes);
    const load = (model: string) => Engine.load(path, { draft: { model } });
    await expect(load(other)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('vocabulary') as string,
    });
    await expect(load(`${path}.not`)).rejects.toMatchObject({ code: 'model_not_found' });
  });

  test('what an engine guesses by default is refused when it is loaded', async () => {
    const load = (draft: unknown) => Engine.load(path, { draft } as LoadOptions);
    await expect(load({ maxTokens: 0 })).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
