/** What JSON schemas describe, byte by byte: what is easily wrong, what is refused, and what is hostile. */
import fc from 'fast-check';

import { testing } from '../testing.js';

/** How each text begins to be read: 0: nothing that fits begins like this; 1: something does; 2 and 3: it fits. */
const codes = (schema: unknown, ...texts: string[]) =>
  testing
    .readSchema(
      JSON.stringify(schema),
      texts.map((text) => Buffer.from(text, 'latin1')),
    )
    .map((one) => one.at(-1)!);
const utf8 = (text: string) => Buffer.from(text).toString('latin1');
const fits = (schema: unknown, text: string) => codes(schema, text)[0]! >= 2;

const object = (properties: object, more: object = {}) => ({
  type: 'object',
  properties,
  additionalProperties: false,
  ...more,
});

test.each<[string, unknown, string[], string[]]>([
  [
    'escapes in names of properties are written as JSON.stringify does',
    object({ 'a"b\\c\n': { type: 'null' } }, { required: ['a"b\\c\n'] }),
    ['{"a\\"b\\\\c\\n":null}'],
    ['{}', '{"a\\u0022b\\\\c\\n":null}', '{"a"b":null}', '{"a\\"b\\\\c\n":null}'],
  ],
  [
    'a pair of surrogates is one character, and neither half comes alone',
    { type: 'string', minLength: 1, maxLength: 1 },
    [utf8('"😀"'), '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', utf8('"é"'), '"\\u00e9"', '"\\n"'],
    ['"\\ud83d"', '"\\ude00"', '"\\ud83dx"', '"\\ud83d\\u0041"', '""', '"ab"', '"\\ud83d\\ude00x"'],
  ],
  [
    'bytes that are not UTF-8',
    { type: 'string' },
    ['"\xc3\xa9"', '"\xf4\x8f\xbf\xbf"'],
    [
      '"\xff"',
      '"\xc0\x80"',
      '"\xe0\x80\x80"',
      '"\xed\xa0\x80"',
      '"\xf4\x90\x80\x80"',
      '"\xc3"',
      '"\x1f"',
    ],
  ],
  [
    'a property comes once',
    { type: 'object', additionalProperties: { type: 'integer' } },
    ['{"a":1,"b":2}', '{"a":1,"aa":2}', '{"":1}'],
    ['{"a":1,"a":2}', '{"a":1,"b":2,"a":3}', '{"":1,"":2}'],
  ],
  [
    'and one that the schema knows does so, too',
    { properties: { a: {}, b: {} }, patternProperties: { '^x': { type: 'null' } } },
    ['{"a":1,"x":null,"xy":null,"c":1}'],
    ['{"a":1,"a":1}', '{"x":null,"x":null}', '{"x":1}', '{"c":1,"c":1}'],
  ],
  [
    'white space ends',
    { type: 'array', items: { type: 'integer' } },
    ['[1, 2]', '[\n    1,\n    2\n]', ' [1]', '\n\n[1]', '[1\t,2]', '[ ]', '[\r\n1]'],
    ['[1,   2]', '[1] ', '\n\n\n[1]', `[\n${' '.repeat(11)}1]`, '\n   1'],
  ],
  [
    'numbers have an end, and are finite',
    { type: 'number' },
    ['0', '-0.5', '1e5', '1E+21', '2.5e-7', '-1.7976931348623157e+280', '5e-324', '1e307', '100000000000000000000'],
    ['01', '1.', '.5', '+1', '1e', '1e999', '12e307', '-', '1.e5', 'NaN', `1${'0'.repeat(30)}`],
  ],
  [
    'bounds of numbers',
    { type: 'number', minimum: -2.5, exclusiveMaximum: 10 },
    ['-2.5', '-2.49', '0', '9.999', '9', '5.0'],
    ['-2.51', '10', '10.0', '-3', '1e1', '9.99999999999999999', '-0'],
  ],
  [
    'integers',
    { type: 'integer', minimum: 7, maximum: 1234 },
    ['7', '10', '99', '1234', '100'],
    ['6', '1235', '0', '7.0', '-7', '1e2', '07', '12340'],
  ],
  [
    'multiples',
    { type: 'number', multipleOf: 0.25, minimum: 1 },
    ['1', '1.25', '1.5', '100.75', '2.00'],
    ['0.75', '1.2', '1.255', '0'],
  ],
  [
    'values of which one begins like another',
    { enum: ['a', 'ab', 'abc', 1, 12, 1.5, null, true, { x: 1 }, [1, 'a']] },
    ['"a"', '"ab"', '"abc"', '1', '12', '1.5', 'null', 'true', '{"x":1}', '[1,"a"]'],
    ['"b"', '"abcd"', '123', '1.55', 'false', '{"x":2}', '{}', '[1]', '{"x":1,"y":1}'],
  ],
  [
    'numbers of an enumeration inside of a list',
    { type: 'array', items: { enum: [1, 12, -3] } },
    ['[1,12,-3]', '[12]'],
    ['[123]', '[1 2]', '[-1]'],
  ],
  [
    'required properties come, in any order',
    object(
      { a: { type: 'null' }, b: { type: 'null' }, c: { type: 'null' } },
      { required: ['a', 'c'] },
    ),
    ['{"a":null,"c":null}', '{"c":null,"b":null,"a":null}'],
    ['{"a":null}', '{"a":null,"b":null}', '{"a":null,"c":null,}', '{"d":null,"a":null,"c":null}'],
  ],
  [
    'no comma comes where no property can follow',
    object({ a: {}, b: {} }, { maxProperties: 1 }),
    ['{"a":1}', '{}'],
    ['{"a":1,"b":1}', '{"a":1,'],
  ],
  [
    'schemas that hold themselves',
    {
      $defs: { tree: object({ of: { type: 'array', items: { $ref: '#/$defs/tree' } } }) },
      $ref: '#/$defs/tree',
    },
    ['{}', '{"of":[{},{"of":[]}]}'],
    ['{"of":[1]}', '{"of":{}}'],
  ],
  [
    'exactly one of alternatives that overlap',
    { oneOf: [object({ a: {}, b: {} }), object({ b: {}, c: {} }, { required: ['b'] })] },
    ['{}', '{"a":1}', '{"a":1,"b":1}', '{"b":1,"c":1}'],
    ['{"b":1}', '{"c":1}', '{"a":1,"c":1}'],
  ],
  [
    'what must not hold',
    { type: 'string', not: { enum: ['no', 'none'] }, minLength: 1 },
    ['"n"', '"non"', '"nones"', '"yes"'],
    ['"no"', '"none"', '""', '"n\\u006f"'],
  ],
  [
    'conditions',
    {
      properties: { k: { enum: [1, 2] }, v: {} },
      required: ['k', 'v'],
      if: { properties: { k: { const: 1 } } },
      then: { properties: { v: { type: 'string' } } },
      else: { properties: { v: { type: 'null' } } },
    },
    ['{"k":1,"v":"x"}', '{"v":null,"k":2}', '{"v":"x","k":1}', '5'],
    ['{"k":2,"v":"x"}', '{"k":1,"v":null}', '{"v":1,"k":1}'],
  ],
  [
    'something among the items',
    { type: 'array', items: { type: 'integer' }, contains: { minimum: 100 }, maxItems: 3 },
    ['[100]', '[1,2,300]', '[1,100,2]'],
    ['[]', '[1,2,3]', '[1,2,3,100]'],
  ],
  [
    'patterns may match anywhere, and lengths hold beside them',
    { type: 'string', pattern: 'b+', minLength: 3, maxLength: 4 },
    ['"abb"', '"xxxb"', utf8('"éb😀"')],
    ['"b"', '"aaaaa"', '"xxxx"', '"xxb\\u0062"', '"xxxxb"'],
  ],
  [
    'formats',
    {
      type: 'array',
      prefixItems: [{ format: 'date' }, { format: 'uuid' }, { format: 'unheard-of' }],
    },
    ['["2024-02-29"]', '["2023-12-31","123e4567-e89b-12d3-a456-426614174000","x"]', '[5]'],
    ['["2023-02-29"]', '["2023-13-01"]', '["2023-12-31","123"]'],
  ],
  [
    'older spellings',
    {
      $schema: 'http://json-schema.org/draft-04/schema#',
      definitions: { p: { type: 'integer', minimum: 0, exclusiveMinimum: true } },
      items: [{ $ref: '#/definitions/p' }],
      additionalItems: false,
    },
    ['[]', '[1]'],
    ['[0]', '[1,1]'],
  ],
  ['true', true, ['[{"a":[null]}]', '"x"'], ['[', 'nul']],
])('%s', (_, schema, good, bad) => {
  expect(good.filter((text) => !fits(schema, text))).toEqual([]);
  expect(bad.filter((text) => fits(schema, text))).toEqual([]);
});

test('whatever is JSON fits a schema that asks for nothing', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const text = JSON.stringify(value);
      if (/\\ud[89a-f]|e\+308/.test(text)) return; // half of a pair; beyond 10^308
      expect([text, fits({}, utf8(text))]).toEqual([text, true]);
    }),
    { numRuns: 500 },
  );
});

test.each<[string, unknown, RegExp]>([
  [
    'uniqueItems',
    { items: { uniqueItems: true } },
    /"uniqueItems" is not supported, at #\/items\/uniqueItems/,
  ],
  ['maxContains', { contains: {}, maxContains: 2 }, /"maxContains" is not supported/],
  ['minContains', { contains: {}, minContains: 2 }, /"minContains" is not supported beyond 1/],
  ['$dynamicRef', { $dynamicRef: '#x' }, /"\$dynamicRef" is not supported/],
  [
    'unevaluatedProperties',
    { allOf: [{}], unevaluatedProperties: false },
    /"unevaluatedProperties" is not supported beside/,
  ],
  [
    'unevaluatedItems',
    { anyOf: [{}], unevaluatedItems: false },
    /"unevaluatedItems" is not supported beside/,
  ],
  [
    'not multipleOf',
    { not: { multipleOf: 3 } },
    /"multipleOf" is not supported where it must not hold/,
  ],
  [
    'another document',
    { $ref: 'https://example.com/x' },
    /other documents are not loaded, at #\/\$ref/,
  ],
  [
    'a dead end',
    { properties: { a: { $ref: '#/$defs/no' } } },
    /"#\/\$defs\/no", which is not in this schema/,
  ],
  [
    'a look-ahead',
    { properties: { a: { pattern: '(?=a)' } } },
    /look.*, at #\/properties\/a\/pattern/i,
  ],
  ['a wrong type', { type: 'strin' }, /"type" is none of JSON's types, at #\/type/],
  ['a wrong bound', { minimum: '5' }, /it must be a number, at #\/minimum/],
  [
    'a wrong list',
    { properties: { a: { enum: 5 } } },
    /it must be a list, at #\/properties\/a\/enum/,
  ],
  ['a wrong schema', { items: 5 }, /a schema must be an object, true or false, at #\/items/],
  ['a wrong multiple', { multipleOf: 0 }, /larger than zero/],
  ['nothing that fits', { type: 'string', enum: [5] }, /no value fits it/],
  ['false', false, /no value fits it/],
  [
    'what holds itself for ever',
    {
      $ref: '#/$defs/a',
      $defs: { a: { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, required: ['a'] } },
    },
    /no value fits it/,
  ],
  ['a loop', { $ref: '#' }, /leads back to itself/],
  ['a longer loop', { allOf: [{ anyOf: [{ $ref: '#' }] }] }, /leads back to itself/],
])('%s is refused by name', (_, schema, message) => {
  expect(() => codes(schema)).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      message: expect.stringMatching(message) as string,
    }),
  );
});

describe('hostile schemas are refused, or cost little', () => {
  const nested = (n: number, wrap: (inner: object) => object) => {
    let schema: object = { type: 'null' };
    for (let i = 0; i < n; i++) schema = wrap(schema);
    return schema;
  };
  const list = <T>(n: number, make: (i: number) => T) =>
    Array.from({ length: n }, (_, i) => make(i));

  test.each<[string, unknown]>([
    ['depth', nested(150, (items) => ({ items }))],
    ['more depth', nested(1000, (not) => ({ not }))],
    [
      'alternatives that multiply',
      {
        allOf: list(40, () => ({ anyOf: [{ minLength: 1 }, { maxLength: 5 }, { pattern: 'a' }] })),
      },
    ],
    ['a pattern that grows', { pattern: '(a|b)*a(a|b){30}' }],
    ['many patterns', { allOf: list(30, (i) => ({ pattern: `a.{${i}}b` })) }],
    [
      'counts',
      { type: 'array', minItems: 1e9, maxItems: 1e15, items: { type: 'string', maxLength: 1e9 } },
    ],
    ['long names', { propertyNames: { maxLength: 1e9 } }],
    ['items', { prefixItems: list(20_000, () => ({ type: 'null' })) }],
    ['many values', { enum: list(50_000, (i) => `value ${i}`) }],
    [
      'alternatives that exclude each other',
      { oneOf: list(200, (i) => ({ properties: { [`p${i}`]: { type: 'null' } } })) },
    ],
    ['what has to come somewhere', { allOf: list(10, (i) => ({ contains: { const: i } })) }],
    [
      'chains of what is required',
      {
        $defs: Object.fromEntries(
          list(3000, (i) => [
            `d${i}`,
            { type: 'object', required: ['a'], properties: { a: { $ref: `#/$defs/d${i + 1}` } } },
          ]),
        ),
        $ref: '#/$defs/d0',
      },
    ],
    [
      'names that patterns tell apart',
      { patternProperties: Object.fromEntries(list(24, (i) => [`${i}x`, { minimum: i }])) },
    ],
    [
      'conditions',
      { allOf: list(30, (i) => ({ if: { required: [`a${i}`] }, then: { required: [`b${i}`] } })) },
    ],
  ])('%s', (_, schema) => {
    try {
      codes(schema, '[null', '{"a":1');
    } catch (error) {
      expect(['invalid_argument', 'grammar_failed']).toContain((error as { code?: string }).code);
    }
  });
});

test('a token may come if all of its bytes can be read', () => {
  const texts = [
    '{',
    '}',
    '"',
    '":',
    '",',
    '"a',
    'a',
    'b',
    '"a":',
    '\\',
    '\\n',
    '\\u',
    '\xc3',
    '\xa9',
    '\xc3\xa9',
    '1',
    '12',
    ':',
    ',',
    ' ',
    '\n',
    '": "',
    '"}',
    '":1}',
    '\\"',
    'é"',
    'ab"',
    'abcd',
    'aé',
    '0',
    '{"',
    '","',
    '[',
    ']',
  ];
  const parts = texts.map((text) => Buffer.from(text, 'latin1'));
  let end = 0;
  const [bytes, ends] = [
    Buffer.concat(parts),
    Int32Array.from(parts, ({ length }) => (end += length)),
  ];
  const schemas: unknown[] = [
    {},
    object({ a: { type: 'string', maxLength: 2 }, ab: { type: 'integer', maximum: 12 } }),
    { type: 'object', additionalProperties: { type: 'string', pattern: '^(a|é)*b?$' } },
    {
      anyOf: [
        { type: 'object', properties: { a: { const: 'a' } } },
        { type: 'array', items: { type: 'string' } },
      ],
    },
    {
      type: 'object',
      patternProperties: { '^a+$': { type: 'string', maxLength: 1 } },
      additionalProperties: false,
    },
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...schemas),
      fc.array(fc.nat(), { maxLength: 14 }),
      (schema, picks) => {
        const json = JSON.stringify(schema);
        const said: number[] = [];
        let before = '';
        for (const pick of [...picks, 0]) {
          const alive = texts.map((text) => codes(schema, before + text)[0]! > 0);
          const expected = texts.flatMap((_, id) => (alive[id] ? [id] : []));
          expect([
            before,
            testing.allowedTokens('', json, bytes, ends, Int32Array.from(said)),
          ]).toEqual([before, expected]);
          if (expected.length === 0) return;
          said.push(expected[pick % expected.length]!);
          before += texts[said.at(-1)!]!;
        }
      },
    ),
    { numRuns: 300 },
  );
});
