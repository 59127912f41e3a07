/** Which tokens may come where an answer has to fit a schema: those whose bytes can all be read. */
import fc from 'fast-check';

import { testing } from '../testing.js';

const TEXTS = [
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
const SCHEMAS: unknown[] = [
  {},
  {
    type: 'object',
    properties: { a: { type: 'string', maxLength: 2 }, ab: { type: 'integer', maximum: 12 } },
    additionalProperties: false,
  },
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

function vocabulary() {
  const parts = TEXTS.map((text) => Buffer.from(text, 'latin1'));
  let end = 0;
  return {
    bytes: Buffer.concat(parts),
    ends: Int32Array.from(parts, ({ length }) => (end += length)),
  };
}

/** By reading the bytes of each. */
function expectedAfter(json: string, before: string): number[] {
  const codes = testing.readSchema(
    json,
    TEXTS.map((text) => Buffer.from(before + text, 'latin1')),
  );
  return codes.flatMap((code, id) => (code.at(-1)! > 0 ? [id] : []));
}

test('a token may come if all of its bytes can be read', () => {
  const { bytes, ends } = vocabulary();
  fc.assert(
    fc.property(
      fc.constantFrom(...SCHEMAS),
      fc.array(fc.nat(), { maxLength: 14 }),
      (schema, picks) => {
        const json = JSON.stringify(schema);
        const said: number[] = [];
        for (const pick of [...picks, 0]) {
          const before = said.map((id) => TEXTS[id]).join('');
          const expected = expectedAfter(json, before);
          const allowed = testing.allowedTokens('', json, bytes, ends, Int32Array.from(said));
          expect([before, allowed]).toEqual([before, expected]);
          if (expected.length === 0) return;
          said.push(expected[pick % expected.length]!);
        }
      },
    ),
    { numRuns: 300 },
  );
});
