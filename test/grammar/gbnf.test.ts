/** Grammars in GBNF: what they read is what a plain recursive reader of the same rules reads. */
import fc from 'fast-check';

import { testing } from '../testing.js';

const read = (grammar: string, text: string) =>
  Array.from(testing.readGrammar(grammar, Buffer.from(text)));
const fits = (grammar: string, text: string) => read(grammar, text).at(-1)! >= 2;

const ARITHMETIC = `
# sums of products
root  ::= sum "\\n"?
sum   ::= term (("+" | "-") term)*
term  ::= factor ([*/] factor)*
factor ::= number | "(" ws sum ws ")"
number ::= [0-9]+ ("." [0-9]{1,2})?   # no exponents
ws    ::= | " " ws
`;

test.each<[string, string, string[], string[]]>([
  [
    'rules in rules',
    ARITHMETIC,
    ['1', '1+2*3', '( (1.5+2) )/7', '((((1))))\n'],
    ['', '1+', '(1', '1.', '1.234', '1 +2', '1\n\n'],
  ],
  [
    'as many of one as of the other',
    'root ::= "a" root "b" | "c"',
    ['c', 'acb', 'aaacbbb'],
    ['', 'ab', 'aacb', 'acbb'],
  ],
  [
    'a rule at the end of itself',
    'root ::= "x" root | ""',
    ['', 'x', 'x'.repeat(500)],
    ['y', 'xy'],
  ],
  [
    'escapes and code points',
    'root ::= "\\x41\\u00e9\\U0001D11E\\t\\"\\\\" [^\\]a-c\\-] .',
    ['Aé𝄞\t"\\dz', 'Aé𝄞\t"\\é\n'],
    ['Aé𝄞\t"\\az', 'Aé𝄞\t"\\]z', 'Aé𝄞\t"\\-z'],
  ],
  [
    'counts',
    'root ::= "a"{2} ("b" | "c"){0,2} "d"{1,}',
    ['aad', 'aabcddd'],
    ['ad', 'aabbbd', 'aa'],
  ],
  [
    'lines within parentheses',
    'root ::= (\n  "a" |\n  "b"\n) other\nother ::=\n  "c"',
    ['ac', 'bc'],
    ['a', 'c'],
  ],
  [
    'rules that lead to nothing',
    'root ::= "a" | "b" never | never?\nnever ::= "x" never',
    ['a', ''],
    ['b', 'bx', 'x'],
  ],
  [
    'many alternatives that begin alike',
    `root ::= ${Array.from({ length: 50 }, (_, i) => `"value ${i}"`).join(' | ')}`,
    ['value 7', 'value 49'],
    ['value', 'value 50', 'value 4x'],
  ],
])('%s', (_, grammar, good, bad) => {
  expect(good.filter((text) => !fits(grammar, text))).toEqual([]);
  expect(bad.filter((text) => fits(grammar, text))).toEqual([]);
});

test('where nothing may follow is known', () => {
  expect(read('root ::= "ab"', 'ab')).toEqual([1, 1, 3]);
  expect(read('root ::= "a"+', 'aa')).toEqual([1, 2, 2]);
});

const NAMES = ['root', 'a', 'b'] as const;
type Rules = Record<(typeof NAMES)[number], string[][]>;
const MOST = 4; // letters

/** All texts of rules, by brute force: what each of their parts says, put together again and again. */
function textsOf(rules: Rules): Set<string> {
  const known = { root: new Set<string>(), a: new Set<string>(), b: new Set<string>() };
  const joined = (left: Iterable<string>, right: Iterable<string>) =>
    new Set(
      [...left]
        .flatMap((one) => [...right].map((other) => one + other))
        .filter((text) => text.length <= MOST),
    );
  const star = (one: Set<string>) => {
    let all = new Set(['']);
    for (let i = 0; i <= MOST; i++) all = new Set([...all, ...joined(all, one)]);
    return all;
  };
  const PARTS: Record<string, () => Iterable<string>> = {
    '"x"': () => ['x'],
    '"y"': () => ['y'],
    '[xz]': () => ['x', 'z'],
    '"x" a': () => joined(['x'], known.a),
    '"y" b': () => joined(['y'], known.b),
    '("z" a)?': () => ['', ...joined(['z'], known.a)],
    '"x"{1,2}': () => ['x', 'xx'],
    '("y" | "x" b)*': () => star(new Set(['y', ...joined(['x'], known.b)])),
  };
  for (let round = 0; round <= 2 * MOST + 4; round++)
    for (const name of NAMES)
      for (const sequence of rules[name])
        for (const text of sequence.reduce(
          (all, part) => joined(all, PARTS[part]!()),
          new Set(['']),
        ))
          known[name].add(text);
  return known.root;
}

const part = fc.constantFrom(
  '"x"',
  '"y"',
  '[xz]',
  '"x" a',
  '"y" b',
  '("z" a)?',
  '"x"{1,2}',
  '("y" | "x" b)*',
);
const body = fc.array(fc.array(part, { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 3,
});
const letters = fc.array(fc.constantFrom('x', 'y', 'z'), { maxLength: MOST });

test('random grammars: what is read is what the rules say', () => {
  fc.assert(
    fc.property(fc.record({ root: body, a: body, b: body }), letters, (rules, said) => {
      const lines = NAMES.map(
        (name) => `${name} ::= ${rules[name].map((one) => one.join(' ')).join(' | ')}`,
      );
      const [grammar, text, all] = [lines.join('\n'), said.join(''), textsOf(rules)];
      let codes: number[];
      try {
        codes = read(grammar, text);
      } catch (error) {
        const { message } = error as Error;
        return expect([message, all.size]).toEqual([expect.stringContaining('no text fits'), 0]);
      }
      for (let i = 0; i <= text.length; i++)
        expect([grammar, text.slice(0, i), codes[i]! >= 2]).toEqual([
          grammar,
          text.slice(0, i),
          all.has(text.slice(0, i)),
        ]);
    }),
    { numRuns: 400 },
  );
});

test.each<[string, string, RegExp]>([
  ['no root', 'a ::= "x"', /there is no rule "root", in line 1/],
  ['a missing rule', 'root ::= a\n\n', /there is no rule "a"/],
  ['a rule that is there twice', 'root ::= "a"\nroot ::= "b"', /"root" is there twice, in line 2/],
  ['left recursion', 'root ::= root "a" | "b"', /"root" may begin with itself \(left recursion\)/],
  ['hidden left recursion', 'root ::= a? b\na ::= "x"\nb ::= a* root', /may begin with itself/],
  ['nothing that fits', 'root ::= "a" root', /no text fits it/],
  ['an open literal', 'root ::= "a', /expected the end of a literal or of a set, in line 1/],
  ['an open set', 'root ::= [a', /expected the end of a literal or of a set/],
  ['an open group', 'root ::= ("a"\nb ::= "c"', /expected the name of a rule, in line 2/],
  ['a wrong escape', 'root ::= "\\q"', /there is no such escape/],
  ['a wrong count', 'root ::= "a"{3,1}', /a count ends before it begins/],
  ['a huge count', 'root ::= "a"{1000000000}', /a count up to 65,536/],
  ['counts of counts', 'root ::= ("a"{60000}){60000}', /more than 131,072 states/],
  [
    'many rules',
    `root ::= r0\n${Array.from({ length: 2001 }, (_, i) => `r${i} ::= r${i + 1}`).join('\n')}`,
    /more than 2,000 rules/,
  ],
  ['depth', `root ::= ${'('.repeat(5000)}"a"${')'.repeat(5000)}`, /deeper than 200/],
  ['a wrong range', 'root ::= [z-a]', /a range ends before it begins/],
  ['no name', 'root ::= "a" ;', /expected the name of a rule/],
  ['a wrong line', 'root = "a"', /expected "::="/],
])('%s is refused', (_, grammar, message) => {
  expect(() => read(grammar, '')).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      message: expect.stringMatching(message) as string,
    }) as Error,
  );
});

test('a grammar that may be read in ever more ways is read in bounded memory, or refused', () => {
  const grammar = 'root ::= a*\na ::= "x" a "y" | "x" a "z" | "x" a | "x"';
  let last: unknown;
  try {
    last = read(grammar, 'x'.repeat(3000)).at(-1);
  } catch (error) {
    last = (error as { code?: string }).code;
  }
  expect([2, 'grammar_failed']).toContain(last);
});
