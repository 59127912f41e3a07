/** What JSON schemas describe, byte by byte: what is easily wrong. */
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
    [
      '0',
      '-0.5',
      '1e5',
      '1E+21',
      '2.5e-7',
      '-1.7976931348623157e+280',
      '5e-324',
      '1e307',
      '100000000000000000000',
    ],
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
  [
    'no item twice',
    { type: 'array', uniqueItems: true, items: { enum: ['a', 'ab', 1, 12, null] } },
    ['[]', '["a","ab"]', '[12,1]', '["ab", "a",\n null,1,12]'],
    ['["a","a"]', '[1,12,1]', '[null,null]', '["ab","a",1,12,null,'],
  ],
  [
    'no text twice',
    { type: 'array', uniqueItems: true, items: { anyOf: [{ type: 'string' }, { const: 'x' }] } },
    ['["x","y",""]', '["a","aa"]'],
    ['["x","x"]', '["","a",""]', '["a","\\u0061"]'],
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
