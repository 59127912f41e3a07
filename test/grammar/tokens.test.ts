/** Which tokens go on with a regular expression: those, and only those, after which a text that matches is still to be had. */
import fc from 'fast-check';

import { ScriptedEngine } from '../fixtures/scripted-engine.js';
import { testing } from '../testing.js';

const vocabulary = (texts: readonly string[]) => {
  const parts = texts.map((text) => Buffer.from(text, 'latin1'));
  let end = 0;
  return {
    bytes: Buffer.concat(parts),
    ends: Int32Array.from(parts, ({ length }) => (end += length)),
  };
};

const allowed = (pattern: string, tokens: readonly string[], said: readonly number[] = []) => {
  const { bytes, ends } = vocabulary(tokens);
  return testing.allowedTokens(pattern, '', bytes, ends, Int32Array.from(said));
};

test('a token is allowed if all of its bytes can be read', () => {
  const token = fc
    .array(fc.constantFrom('a', 'b', 'c', '\u00c3', '\u00a9'), { maxLength: 4 })
    .map((all) => all.join(''));
  fc.assert(
    fc.property(
      fc.array(token, { minLength: 1, maxLength: 40 }),
      fc.constantFrom('[ab]*c?', '(ab|ba)+', 'é*a', '.{0,3}', 'abc|abcc|b', '[^a]+'),
      fc.array(fc.nat(39), { maxLength: 3 }),
      (tokens, pattern, picks) => {
        const said = picks.map((pick) => pick % tokens.length).filter((id) => tokens[id] !== '');
        const before = said.map((id) => tokens[id]).join('');
        const alive = (text: string) =>
          Array.from(testing.readRegex(pattern, false, Buffer.from(text, 'latin1'))).at(-1)! > 0;
        const expected = tokens.flatMap((text, id) =>
          text !== '' && alive(before) && alive(before + text) ? [id] : [],
        );
        expect(allowed(pattern, tokens, said)).toEqual(expected);
      },
    ),
    { numRuns: 2000 },
  );
});

test('equal tokens are all allowed; empty and endless ones never', () => {
  expect(allowed('a+', ['a', '', 'a', 'b', 'aa', 'a'.repeat(2000)])).toEqual([0, 2, 4]);
});

test('a vocabulary whose ends do not stand in order is refused', () => {
  for (const ends of [
    [3, 2],
    [-1, 2],
    [1, 9],
  ])
    expect(() =>
      testing.allowedTokens('a', '', Buffer.from('abc'), Int32Array.from(ends), new Int32Array(0)),
    ).toThrow(expect.objectContaining({ code: 'invalid_argument' }) as Error);
});

test('a model may have more logits than its tokenizer has tokens, or fewer', async () => {
  await using engine = await ScriptedEngine.open();
  const { tokenizer } = engine.parts;
  const all = tokenizer.ordinary(tokenizer.size);
  const more = tokenizer.ordinary(tokenizer.size + 40);
  expect(more.ends).toHaveLength(tokenizer.size + 40);
  expect([...more.ends.subarray(0, tokenizer.size)]).toEqual([...all.ends]);
  const allowed = testing.allowedTokens('.*', '', more.bytes, more.ends, new Int32Array(0));
  expect(Math.max(...allowed)).toBeLessThan(tokenizer.size);
  expect([...tokenizer.ordinary(9).ends]).toEqual([...all.ends.subarray(0, 9)]);
});
