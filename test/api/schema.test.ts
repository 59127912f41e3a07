/** The option `schema` as users see it: typed values that fit, or the beginning of such. */
import { writeFileSync } from 'node:fs';

import { z } from 'zod';

import { Engine, ObjectGeneration } from '../../lib/index.js';
import type { GenerateOptions, JsonSchema, SchemaInput } from '../../lib/index.js';
import { cachalot } from '../cli/cachalot.js';
import { judgeOf } from '../fixtures/judge.js';
import { realSchemas } from '../fixtures/schema-suites.js';
import { expectSameInCompany } from '../fixtures/same-in-company.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { emulatedLibrary, paths, testing } from '../testing.js';

const TEMPLATE =
  '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n';

const word = { type: 'string', maxLength: 6 } as const;
const SCHEMAS: JsonSchema[] = [
  {
    type: 'object',
    properties: { name: word, age: { type: 'integer', minimum: 0, maximum: 120 } },
    required: ['name', 'age'],
    additionalProperties: false,
  },
  { type: 'array', items: { enum: ['red', 'reddish', 'green'] }, maxItems: 3 },
  { anyOf: [{ type: 'boolean' }, { type: 'null' }, { type: 'number', minimum: -1, maximum: 1 }] },
  { type: 'string', pattern: '^[0-9]{4}-[01][0-9]$' },
  {
    type: 'object',
    properties: { kind: { const: 'a' }, é: word },
    required: ['kind'],
    additionalProperties: { type: 'boolean' },
    propertyNames: { maxLength: 4 },
    maxProperties: 3,
  },
  {
    $defs: {
      list: { type: 'array', items: { anyOf: [{ $ref: '#/$defs/list' }, word] }, maxItems: 2 },
    },
    $ref: '#/$defs/list',
  },
  {
    oneOf: [
      { type: 'string', maxLength: 3 },
      { type: 'string', pattern: '^x', maxLength: 9 },
    ],
  },
];

describe('schema', () => {
  let path: string;
  let engine: Engine;
  beforeAll(async () => {
    ({ path } = await writeTinyModel({ template: TEMPLATE }));
    engine = await Engine.load(path, { checkInvariants: true });
  });
  afterAll(() => engine.dispose());

  const answer = (schema: SchemaInput, more: GenerateOptions = {}, who = engine) =>
    who.complete('the and ing', { maxTokens: 60, temperature: 1.5, schema, ...more }).result;

  const isBeginning = (schema: SchemaInput, text: string) =>
    testing.readSchema(JSON.stringify(schema), [Buffer.from(text)])[0]!.at(-1)! > 0;

  /** What is whole fits; what is not is the beginning of something that does. */
  async function check(schema: JsonSchema, seeds: number, maxTokens: number): Promise<number> {
    const judge = judgeOf(schema);
    const results = await Promise.all(
      Array.from({ length: seeds }, (_, seed) => answer(schema, { seed, maxTokens })),
    );
    for (const { text, object, finishReason } of results)
      if (finishReason === 'stop') {
        expect(object).toEqual(JSON.parse(text));
        expect([text, judge?.(object)]).toEqual([text, undefined]);
      } else if (!text.includes('\ufffd'))
        expect([text, isBeginning(schema, text)]).toEqual([text, true]);
    return results.filter(({ finishReason }) => finishReason === 'stop').length;
  }

  test.each(SCHEMAS.map((schema, i) => [i, schema] as const))(
    'schema %i: answers at a high temperature',
    async (_, schema) => {
      expect(await check(schema, 40, 100)).toBeGreaterThan(0);
    },
  );

  test('answers that fit real schemas', async () => {
    let n = 0;
    for (const { schema } of (realSchemas ?? []).filter((_, i) => i % 40 === 0)) {
      const canUse = await engine.compileSchema(schema as JsonSchema).then(
        () => true,
        () => false,
      );
      if (canUse) n += await check(schema as JsonSchema, 4, 150);
    }
    if (realSchemas) expect(n).toBeGreaterThan(0);
  });

  test('a value that is cut off says so, and what there is of it', async () => {
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, seed) => answer(SCHEMAS[0]!, { seed, maxTokens: 4 + seed })),
    );
    const cut = results.filter(({ finishReason }) => finishReason === 'length');
    expect(cut.length).toBeGreaterThan(0);
    for (const { object, partialObject, text } of cut) {
      expect(object).toBeUndefined();
      if (/^\s*\{"(name|age)":/.test(text)) expect(partialObject).toBeInstanceOf(Object);
    }
  });

  test('the type of a value is known, and it comes in parts', async () => {
    const generation = engine.complete('x', {
      schema: {
        type: 'object',
        properties: {
          name: { type: 'string', maxLength: 5 },
          colours: { type: 'array', items: { enum: ['red', 'green'] }, minItems: 1, maxItems: 2 },
        },
        required: ['name', 'colours'],
        additionalProperties: false,
      },
      temperature: 1,
      seed: 5,
    });
    expect(generation).toBeInstanceOf(ObjectGeneration);
    const parts: unknown[] = [];
    for await (const part of generation.partialObjects()) parts.push(part);
    const result = await generation.result;
    if (result.finishReason !== 'stop') throw new Error('it has no limit');
    const { name, colours }: { name: string; colours: ('red' | 'green')[] } = result.object;
    expect([typeof name, colours.every((colour) => /red|green/.test(colour))]).toEqual([
      'string',
      true,
    ]);
    expect(parts.at(-1)).toEqual(result.object);
    expect(parts.length).toBeGreaterThan(2);
  });

  test('schemas of zod: their values, their types, and what only they check', async () => {
    const schema = z.object({
      name: z.enum(['ab', 'cd']),
      n: z
        .int()
        .min(1)
        .max(9)
        .transform((n) => `n${n}`),
    });
    const { object } = await engine.complete('x', { schema, seed: 1 }).result;
    const n: string | undefined = object?.n;
    expect(n).toMatch(/^n[1-9]$/);
    const never = z.object({ a: z.boolean() }).refine(() => false, 'never right');
    await expect(answer(never)).rejects.toMatchObject({
      code: 'object_refused',
      message: expect.stringContaining('never right') as string,
    });
    const old = { '~standard': { version: 1, vendor: 'elder' } };
    expect(() => engine.complete('x', { schema: old })).toThrow(
      'a schema of elder that does not say',
    );
  });

  test('the same bits alone, in a batch of different schemas, and with guesses', async () => {
    await expectSameInCompany(path, engine, 16, (who, i, draft) => {
      const how = { seed: i, temperature: i % 2, maxTokens: 40, draft };
      return answer(SCHEMAS[i % SCHEMAS.length]!, how, who);
    });
  });

  test.each(paths as ['avx2'])('on the instructions %s', async (instructions) => {
    await using other = await Engine.load(path, { instructions });
    for (const [i, schema] of SCHEMAS.entries()) {
      const { finishReason, object } = await answer(schema, { seed: i }, other);
      if (finishReason === 'stop') expect(judgeOf(schema)?.(object)).toBeUndefined();
    }
  });

  test('conversations, sessions and batches fit, too', async () => {
    const schema = { type: 'array', items: { type: 'boolean' }, maxItems: 2 } as const;
    const { object } = await engine.chat([{ role: 'user', content: 'Hi' }], { schema }).result;
    expect(object).toBeInstanceOf(Array);
    const session = engine.createSession();
    for (let i = 0; i < 3; i++)
      expect((await session.chat('Hi', { schema }).result).object).toBeInstanceOf(Array);
    const results = await engine
      .createBatch(
        [{ prompt: 'the', schema }, { prompt: 'and', schema: { const: { a: 1 } } }, 'x'],
        { maxTokens: 80 },
      )
      .results();
    expect(results.map((result) => 'object' in result)).toEqual([true, true, false]);
    expect(results[1]).toMatchObject({ object: { a: 1 }, finishReason: 'stop' });
  });

  test.each([
    ['a number', 7],
    ['a list', []],
    ['what JSON cannot hold', { const: 1n }],
    ['a function in it', { type: 'string', check: () => true }],
    ['no finite number', { minimum: NaN }],
  ])('%s is refused at once', (_, schema) => {
    expect(() => engine.complete('x', { schema } as never)).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }) as Error,
    );
  });

  test.each([
    ['regex', { regex: 'a' }],
    ['stop', { stop: '}' }],
  ])('%s beside it is refused', (name, more) => {
    expect(() => engine.complete('x', { schema: true, ...more })).toThrow(`\`${name}\``);
  });

  test('what is not supported is told beforehand, and by the result', async () => {
    const schema = { type: 'array', uniqueItems: true };
    const refused = {
      code: 'invalid_argument',
      message: expect.stringContaining('uniqueItems') as string,
    };
    await expect(engine.compileSchema(schema)).rejects.toMatchObject(refused);
    await expect(answer(schema)).rejects.toMatchObject(refused);
    await engine.compileSchema(z.array(z.string()));
    expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
  });

  test('answers go on after what is known of their schema was forgotten', async () => {
    const schema = { type: 'object', additionalProperties: { type: 'string' }, minProperties: 30 };
    for (let round = 0; round < 3; round++) {
      const results = await Promise.all(
        Array.from({ length: 16 }, (_, i) =>
          answer(schema, { seed: 16 * round + i, maxTokens: 400 }),
        ),
      );
      for (const { text } of results)
        if (!text.includes('\ufffd')) expect(isBeginning(schema, text)).toBe(true);
    }
  });

  test.each(emulatedLibrary === undefined ? [] : ['an emulated GPU'])('on %s', async () => {
    const internal = { cudaLibrary: emulatedLibrary!, alwaysDrafts: true };
    await using gpu = await Engine.loadWith(path, { device: 'cuda' }, internal);
    const asked = [SCHEMAS[1]!, SCHEMAS[3]!];
    const how = { temperature: 1, seed: 3, maxTokens: 16 };
    const alone = [];
    for (const schema of asked)
      alone.push((await answer(schema, { ...how, draft: false }, gpu)).text);
    const together = await Promise.all(asked.map((schema) => answer(schema, how, gpu)));
    expect(together.map(({ text }) => text)).toEqual(alone);
    for (const [i, text] of alone.entries()) expect(isBeginning(asked[i]!, text)).toBe(true);
  });

  test('grammars: a text of the rules, alone, in company and with guesses', async () => {
    const grammar = 'root ::= "(" inner ")"\ninner ::= [a-z]{1,3} | root root?';
    const ask = (seed: number) =>
      engine.complete('x', { grammar, seed, temperature: 1, maxTokens: 40 }).result;
    const alone = [];
    for (let seed = 0; seed < 8; seed++) alone.push((await ask(seed)).text);
    const together = await Promise.all(alone.map((_, seed) => ask(seed)));
    expect(together.map(({ text }) => text)).toEqual(alone);
    for (const text of alone)
      expect([text, testing.readGrammar(grammar, Buffer.from(text)).at(-1)! > 0]).toEqual([
        text,
        true,
      ]);
    await expect(
      engine.complete('x', { grammar: 'root ::= root "a"' }).result,
    ).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('left recursion') as string,
    });
    expect(() => engine.complete('x', { grammar, regex: 'a' })).toThrow('`regex`');
    expect(() => engine.complete('x', { grammar, schema: true })).toThrow('`grammar`');
    expect(() => engine.complete('x', { grammar: 5 } as never)).toThrow('`grammar`');
  });

  test('run --schema prints what fits, and batch takes a schema for each line', async () => {
    const file = temporaryPath('schema.json');
    writeFileSync(file, JSON.stringify({ enum: ['north', 'south'] }));
    const run = await cachalot(['run', '-m', path, '--schema', file, '--json', 'the']);
    expect(JSON.parse(run.stdout)).toMatchObject({
      object: expect.stringMatching(/^(north|south)$/) as string,
      finishReason: 'stop',
    });
    const lines = temporaryPath('lines.jsonl');
    writeFileSync(
      lines,
      [
        { prompt: 'the', schema: { const: [1] } },
        { prompt: 'the', schema: { uniqueItems: true } },
        {
          body: {
            prompt: 'the',
            response_format: {
              type: 'json_schema',
              json_schema: { name: 'x', schema: { const: 'y' } },
            },
          },
        },
      ]
        .map((line) => JSON.stringify(line))
        .join('\n'),
    );
    const { stdout } = await cachalot(['batch', '-m', path, lines]);
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { index: number });
    answers.sort((a, b) => a.index - b.index);
    expect(JSON.stringify(answers[0])).toMatch(/"text":"[^"]*\[[^"]*1[^"]*\]/);
    expect(JSON.stringify(answers[1])).toContain('uniqueItems');
    expect(JSON.stringify(answers[2])).toContain('\\"y\\"');
    const missing = await cachalot(['run', '-m', path, '--schema', `${file}.not`, 'the']);
    expect([missing.code !== 0, missing.stderr]).toEqual([
      true,
      expect.stringContaining('--schema') as string,
    ]);
  });
});
