/** Regular expressions as automata over bytes: what they read is what JavaScript's own engine matches. */
import fc from 'fast-check';

import { Random } from '../random.js';
import { testing } from '../testing.js';

const read = (pattern: string, text: string, anywhere = false) =>
  Array.from(testing.readRegex(pattern, anywhere, Buffer.from(text)));
const matches = (pattern: string, text: string, anywhere = false) =>
  read(pattern, text, anywhere).at(-1)! >= 2;

/** Patterns of a few letters with everything that is regular. */
const { pattern } = fc.letrec<{ pattern: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(
      'a',
      'b',
      'c',
      '.',
      '[ab]',
      '[^a]',
      '\\d',
      '\\w',
      '\\u0061',
      '[a-c]',
      'é',
      '[à-ü]',
      '𝄞',
      '(?:)',
    ),
    tie('pattern').map((inner) => `(${inner})`),
    tie('pattern').map((inner) => `(?:${inner})`),
  ),
  pattern: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    tie('atom'),
    fc
      .tuple(
        tie('atom'),
        fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{0,3}', '{2,}', '*?', '+?'),
      )
      .map((parts) => parts.join('')),
    fc
      .array(tie('pattern'), { minLength: 1, maxLength: 3 })
      .map((parts) => parts.map((part) => `(?:${part})`).join('')),
    fc.array(tie('pattern'), { minLength: 2, maxLength: 3 }).map((parts) => parts.join('|')),
  ),
}));

const text = fc
  .array(fc.constantFrom('a', 'b', 'c', '1', 'é', 'ü', '𝄞', '\n'), { maxLength: 7 })
  .map((all) => all.join(''));

/** With "^" and "$" at any edge. */
const anchored = fc
  .tuple(
    fc.constantFrom('', '^'),
    pattern,
    fc.constantFrom('', '$'),
    fc.constantFrom('', '|^c', '|b$'),
  )
  .map(([begin, inner, end, more]) => `${begin}(?:${inner})${end}${more}`);

test('a text matches as a whole, or anywhere, as JavaScript has it', () => {
  fc.assert(
    fc.property(anchored, text, (source, given) => {
      expect([source, given, matches(source, given)]).toEqual([
        source,
        given,
        new RegExp(`^(?:${source})$`, 'u').test(given),
      ]);
      expect([source, given, matches(source, given, true)]).toEqual([
        source,
        given,
        new RegExp(source, 'u').test(given),
      ]);
    }),
    { numRuns: 3000 },
  );
});

test('a beginning is dead if and only if no text goes on with it; nothing follows an end', () => {
  const letters = ['a', 'b', 'c'];
  const texts = [''];
  for (let i = 0; texts.length < 1100; i++)
    texts.push(...letters.map((letter) => texts[i]! + letter));
  const small = fc
    .array(fc.constantFrom('a', 'b', 'c', 'a*', '[ab]?', '(a|bc)', '(ab){1,2}', 'c{0,2}'), {
      minLength: 1,
      maxLength: 2, // so that every beginning has an end of at most three letters more
    })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(
      small,
      fc.constantFrom(...texts.filter((one) => one.length <= 3)),
      (source, begin) => {
        const regex = new RegExp(`^(?:${source})$`, 'u');
        const whole = texts.filter((one) => regex.test(one) && one.startsWith(begin));
        const states = read(source, begin);
        expect([source, begin, states.at(-1)! > 0]).toEqual([source, begin, whole.length > 0]);
        if (states.at(-1) === 3) expect(whole).toEqual([begin]);
      },
    ),
    { numRuns: 1500 },
  );
});

test('bytes are read one by one, and no text has half a character', () => {
  expect(read('é+', 'é')).toEqual([1, 1, 2]);
  expect(read('.', '𝄞')).toEqual([1, 1, 1, 1, 3]);
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]])
    expect(Array.from(testing.readRegex('.*', false, Uint8Array.from(bytes))).at(-1)).toBe(0);
});

test('every code point is in a set or in its complement', () => {
  const random = fc.integer({ min: 0, max: 0x10ffff }).filter((c) => c < 0xd800 || c > 0xdfff);
  fc.assert(
    fc.property(random, random, random, (a, b, c) => {
      const [first, last] = [Math.min(a, b), Math.max(a, b)];
      const set = `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`;
      const one = String.fromCodePoint(c);
      const isIn = c >= first && c <= last;
      expect([matches(`[${set}]`, one), matches(`[^${set}]`, one)]).toEqual([isIn, !isIn]);
    }),
  );
});

test('classes are those of ECMAScript', () => {
  for (const source of ['\\s', '\\S', '\\w', '\\W', '\\d', '\\D', '.'])
    for (const c of [
      ...Array(0x180).keys(),
      0x1680,
      0x2003,
      0x2028,
      0x2029,
      0x202f,
      0x3000,
      0xfeff,
      0x1d11e,
    ]) {
      const one = String.fromCodePoint(c);
      expect([source, c, matches(source, one)]).toEqual([
        source,
        c,
        new RegExp(`^${source}$`, 'u').test(one),
      ]);
    }
});

test.each([
  ['(', /not closed by/],
  [')', /no group/],
  ['[a', /not closed by/],
  ['[b-a]', /ends before it begins/],
  ['[\\d-z]', /a class at its end/],
  ['*a', /nothing before it/],
  ['a**', /two quantifiers/],
  ['a{', /no digits/],
  ['a{2,1}', /below its beginning/],
  ['a{99999999999999999999}', /above 65,536/],
  ['(?=a)', /look-arounds/],
  ['(?<!a)', /look-arounds/],
  ['(?i:a)', /flags/],
  ['(a)\\1', /back references/],
  ['\\k<a>', /back references/],
  ['\\bword', /word boundaries/],
  ['\\p{L}', /Unicode properties/],
  ['\\u12', /hexadecimal/],
  ['\\u{110000}', /no such code point/],
  ['\\q', /not known/],
  ['a\\', /ends with a backslash/],
  ['(?<name', /not closed by/],
  ['a{60000}{60000}', /two quantifiers/],
  ['(?:a{60000}){60000}', /131,072 states/],
  ['('.repeat(300) + ')'.repeat(300), /deeper than 200/],
  ['a'.repeat(70_000), /longer than 65,536/],
])('%s is refused', (source, message) => {
  expect(() => read(source, '')).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      message: expect.stringMatching(message) as string,
    }) as Error,
  );
});

test('repetitions of nothing end; what cannot match is dead from the beginning', () => {
  expect(read('(?:(?:){60000}){60000}', '')).toEqual([3]);
  expect(read('(a*)*', 'aa')).toEqual([2, 2, 2]);
  expect(read('[^\\u{0}-\\u{10ffff}]', '')).toEqual([0]);
  expect(read('a^b', 'a')).toEqual([0, 0]);
  expect(read('a$b', 'a')).toEqual([0, 0]);
});

test('alternatives that multiply are refused when they have, in bounded memory', () => {
  const source = '(a|b)*a(a|b){24}';
  const random = new Random(1);
  const many = Array.from({ length: 400_000 }, () => 'ab'[random.below(2)]!).join('');
  expect(() => read(source, many)).toThrow(
    expect.objectContaining({
      code: 'grammar_failed',
      message: expect.stringMatching(/too complex/) as string,
    }) as Error,
  );
});
