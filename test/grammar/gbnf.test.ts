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

test('random grammars: each text of them is read, and each of its beginnings', () => {
  const NAMES = ['root', 'a', 'b'];
  const atom = fc.constantFrom(
    '"x"',
    '"y"',
    '[xz]',
    '"x" a',
    '"y" b',
    '("z" a)?',
    '"x"{1,2}',
    '("y" | "x" b)*',
  );
  const body = fc.array(fc.array(atom, { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 3,
  });
  /** All texts of up to so many letters, by brute force over the rules' own texts. */
  const texts = (rules: Record<string, string[][]>, most: number): Set<string> => {
    const known: Record<string, Set<string>> = Object.fromEntries(
      NAMES.map((name) => [name, new Set<string>()]),
    );
    const short = (all: Iterable<string>) =>
      new Set([...all].filter((text) => text.length <= most));
    const joined = (left: Set<string>, right: Iterable<string>) =>
      short([...left].flatMap((one) => [...right].map((other) => one + other)));
    const star = (one: Set<string>) => {
      let all = new Set(['']);
      for (let i = 0; i <= most; i++) all = new Set([...all, ...joined(all, one)]);
      return all;
    };
    const after = (letter: string, rule: string) => joined(new Set([letter]), known[rule]!);
    const of: Record<string, () => Set<string>> = {
      '"x"': () => new Set(['x']),
      '"y"': () => new Set(['y']),
      '[xz]': () => new Set(['x', 'z']),
      '"x" a': () => after('x', 'a'),
      '"y" b': () => after('y', 'b'),
      '("z" a)?': () => new Set(['', ...after('z', 'a')]),
      '"x"{1,2}': () => new Set(['x', 'xx']),
      '("y" | "x" b)*': () => star(new Set(['y', ...after('x', 'b')])),
    };
    for (let round = 0; round <= 2 * most + 4; round++)
      for (const name of NAMES)
        for (const sequence of rules[name]!)
          for (const text of sequence.reduce((all, one) => joined(all, of[one]!()), new Set([''])))
            known[name]!.add(text);
    return known['root']!;
  };
  fc.assert(
    fc.property(
      body,
      body,
      body,
      fc.array(fc.constantFrom('x', 'y', 'z'), { maxLength: 4 }),
      (root, a, b, letters) => {
        const rules = { root, a, b };
        const grammar = NAMES.map(
          (name) => `${name} ::= ${rules[name as 'root'].map((one) => one.join(' ')).join(' | ')}`,
        ).join('\n');
        const all = texts(rules, 4);
        const text = letters.join('');
        let codes: number[];
        try {
          codes = read(grammar, text);
        } catch (error) {
          expect([(error as Error).message, all.size]).toEqual([
            expect.stringContaining('no text fits') as string,
            0,
          ]);
          return;
        }
        for (let i = 0; i <= text.length; i++)
          expect([grammar, text.slice(0, i), codes[i]! >= 2]).toEqual([
            grammar,
            text.slice(0, i),
            all.has(text.slice(0, i)),
          ]);
      },
    ),
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
  ['depth', `root ::= ${'('.repeat(5000)}"a"${')'.repeat(5000)}`, /deeper than 200/],
  ['a wrong range', 'root ::= [z-a]', /a range ends before it begins/],
  ['no name', 'root ::= "a" ;', /expected the name of a rule/],
  ['a wrong line', 'root = "a"', /expected "::="/],
])('%s is refused', (_, grammar, message) => {
  expect(() => read(grammar, '')).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      message: expect.stringMatching(message) as string,
    }),
  );
});

test('a grammar that is read in ever more ways is refused in bounded memory', () => {
  const grammar = 'root ::= a*\na ::= "x" a "y" | "x" a "z" | "x" a | "x"';
  try {
    read(grammar, 'x'.repeat(3000));
  } catch (error) {
    expect(error).toMatchObject({ code: 'grammar_failed' });
  }
});
