/** Schemas as a language of bytes: real schemas and JSON Schema's own suite judge what fits, and ajv what comes of random walks. */
import { judgeOf } from '../fixtures/judge.js';
import { ownSuite, realSchemas } from '../fixtures/schema-suites.js';
import type { SchemaCase } from '../fixtures/schema-suites.js';
import { testing } from '../testing.js';

/** Every value of a case that is judged otherwise than the case says, minified or indented; or why the schema is refused. */
function misjudged({ schema, tests }: SchemaCase): string[] | { refused: string } {
  const texts = tests.flatMap(({ data }) => [JSON.stringify(data), JSON.stringify(data, null, 2)]);
  try {
    const codes = testing.readSchema(
      JSON.stringify(schema),
      texts.map((text) => Buffer.from(text)),
    );
    return texts.filter((_, i) => codes[i]!.at(-1)! >= 2 !== tests[i >> 1]!.valid);
  } catch (error) {
    return { refused: (error as Error).message };
  }
}

/** Texts of random bytes and of the schema's own words. */
function walks({ schema, index }: SchemaCase, n: number): (Buffer | null)[] {
  const json = JSON.stringify(schema);
  const words = [...new Set(json.match(/"(?:[^"\\]|\\.)*"/g))];
  return Array.from({ length: n }, (_, i) =>
    testing.walkSchema(json, words, 1000 * index + i, [20, 100][i % 2]!),
  );
}

const isRefused = (one: SchemaCase) => 'refused' in misjudged(one);

describe.each([
  ['real schemas', realSchemas],
  ["JSON Schema's own suite", ownSuite],
])('%s', (_, cases) => {
  if (!cases) return test.skip('they are not here', () => undefined);

  test('nothing that is not refused by a keyword’s name is misjudged', () => {
    // Formats are checked here, and are annotations there; numbers beyond 15 digits beside "multipleOf" are not told apart; and a schema that is not JSON Schema.
    const ANNOTATED = /^format\.json$|^vocabulary\.json$|^infinite-loop-detection\.json$/;
    for (const one of cases) {
      const wrong = misjudged(one);
      if ('refused' in wrong || ANNOTATED.test(one.file ?? '')) continue;
      const known = one.description === 'small multiple of large integer';
      expect([one.index, one.description, known ? [] : wrong]).toEqual([
        one.index,
        one.description,
        [],
      ]);
    }
  });

  test('what comes of random walks fits, and none gets stuck', () => {
    let n = 0;
    for (const one of cases.filter((each) => !isRefused(each))) {
      const judge = judgeOf(one.schema);
      for (const text of walks(one, 2)) {
        expect([one.index, text === null]).toEqual([one.index, false]);
        if (text!.length === 0) continue; // it did not end
        const value: unknown = JSON.parse(text!.toString());
        expect([one.index, text!.toString(), judge?.(value)]).toEqual([
          one.index,
          text!.toString(),
          undefined,
        ]);
        n++;
      }
    }
    expect(n).toBeGreaterThan(cases.length);
  });
});

const real = realSchemas;
if (real)
  test('most real schemas can be used, and a refusal names what it is for', () => {
    const outcomes = real.map(misjudged);
    const refused = outcomes.flatMap((one) => ('refused' in one ? [one.refused] : []));
    expect(refused.length).toBeLessThanOrEqual(0.025 * real.length);
    for (const why of refused)
      expect(why).toMatch(
        /"(anyOf|multipleOf|uniqueItems)".*, at #|patterns and lengths.*, at #|more than 4,000 ways/,
      );
  });
