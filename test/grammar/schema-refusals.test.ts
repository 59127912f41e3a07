/** Schemas that are refused, by the keyword's name and place, and hostile ones. */
import { testing } from '../testing.js';

const codes = (schema: unknown, ...texts: string[]) =>
  testing.readSchema(
    JSON.stringify(schema),
    texts.map((text) => Buffer.from(text)),
  );

test.each<[string, unknown, RegExp]>([
  [
    'uniqueItems of objects',
    { items: { uniqueItems: true, items: { type: 'object' } } },
    /"uniqueItems" is supported for items that are strings, or values of an enumeration, at #\/items\/items/,
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
    }) as Error,
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
      'many names',
      {
        properties: Object.fromEntries(list(20_000, (i) => [`name ${i}`, {}])),
        additionalProperties: false,
      },
    ],
    [
      'many large patterns',
      {
        properties: Object.fromEntries(
          list(300, (i) => [`p${i}`, { pattern: `(a|b)*a(a|b){12}${i}` }]),
        ),
      },
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
