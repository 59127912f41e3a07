/** JSON of strangers is measured before it is parsed, in every reader. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';

import { loadConversation } from '../../lib/cli/conversation-file.js';
import { readInput } from '../../lib/cli/batch-input.js';
import { readHubVocabulary } from '../../lib/text/hub-tokenizer.js';
import { parseJson } from '../../lib/text/parse-json.js';
import { readTokenizerJson } from '../../lib/text/tokenizer-json.js';
import { writeHubModel } from '../fixtures/hub-model.js';

const folder = mkdtempSync(join(tmpdir(), 'cachalot-json-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const nested = (depth: number, [open, close] = ['[', ']']) =>
  open.repeat(depth) + (open === '[' ? '' : 'null') + close.repeat(depth);

test('what is JSON is parsed as ever, whatever brackets and quotes its strings hold', () => {
  const awkward = fc.string({ unit: fc.constantFrom('[', ']', '{', '}', '"', '\\', ',', 'a') });
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.double({ noNaN: true }),
      awkward,
      fc.constantFrom(null, true),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(awkward, tie('value'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(value, (any) => {
      const text = JSON.stringify(any);
      expect(parseJson(text, 'it', 'invalid_argument')).toEqual(JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test('brackets in strings are no depth, and escaped quotes end no string', () => {
  for (const inside of ['['.repeat(100), '"'.repeat(100), `${'\\"['.repeat(100)}`, '\\'.repeat(99)])
    expect(parseJson(JSON.stringify([inside, 1]), 'it', 'invalid_argument')).toEqual([inside, 1]);
});

test.each([
  ['arrays', nested(65), 'more than 64 deep'],
  ['very many arrays', nested(5_000_000), 'more than 64 deep'],
  ['objects', nested(100_000, ['{"a":', '}']), 'more than 64 deep'],
  ['many values', `[${','.repeat(9 << 20)}]`, 'more than 8388608 values'],
  ['no end', '["\\', 'is no JSON'],
])('%s: refused before anything is made of it', (_, text, why) => {
  const parse = jest.spyOn(JSON, 'parse');
  try {
    expect(() => parseJson(text, "'x.json'", 'tokenizer_invalid')).toThrow(
      expect.objectContaining({
        code: 'tokenizer_invalid',
        message: expect.stringContaining(
          `'x.json' ${why.startsWith('is') ? '' : 'holds'}`,
        ) as string,
      }) as Error,
    );
    expect(parse.mock.calls.length).toBe(why.startsWith('is') ? 1 : 0);
  } finally {
    parse.mockRestore();
  }
});

test('64 deep is fine, and a key named __proto__ is one like any other', () => {
  expect(parseJson(nested(64), 'it', 'io')).toEqual(JSON.parse(nested(64)));
  const text = '{"__proto__": {"polluted": 1}, "__proto__": {"polluted": 2}}';
  const value = parseJson(text, 'it', 'io') as object;
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  expect('polluted' in value).toBe(false);
});

describe('every reader refuses what is nested too deep, and says where', () => {
  const deep = `{"a":${nested(100_000)}}`;
  const model = { bos: undefined, eos: 2, stops: [], addBos: false, chatTemplate: undefined };

  test('tokenizer.json', async () => {
    const path = write('tokenizer.json', deep);
    await expect(readTokenizerJson(path, model)).rejects.toMatchObject({
      code: 'tokenizer_invalid',
      message: expect.stringContaining(path) as string,
    });
  });

  test.each([
    ['tokenizer_config.json', 'tokenizer_invalid'],
    ['generation_config.json', 'file_bad_metadata'],
    ['config.json', 'file_bad_metadata'],
  ])('%s of a folder', async (name, code) => {
    const { path } = writeHubModel();
    writeFileSync(join(path, name), deep);
    await expect(readHubVocabulary(path)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(name) as string,
    });
  });

  test('a conversation', async () => {
    await expect(loadConversation(write('chat.json', deep))).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('64 deep') as string,
    });
  });

  test('a line of a batch, alone', async () => {
    const path = write('batch.jsonl', `${deep}\n"fine"`);
    const read = await readInput([path], new AbortController().signal);
    expect(read.map(({ error }) => error?.code)).toEqual(['invalid_argument', undefined]);
  });
});

test('more ends of text than a model has are refused', async () => {
  const { path } = writeHubModel();
  const eos_token_id = Array.from({ length: 2000 }, (_, i) => i);
  writeFileSync(join(path, 'generation_config.json'), JSON.stringify({ eos_token_id }));
  await expect(readHubVocabulary(path)).rejects.toMatchObject({ code: 'tokenizer_invalid' });
});
