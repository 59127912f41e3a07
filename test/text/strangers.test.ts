/** Tokenizers of strangers, and converted ones with their quirks. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { Engine } from '../../lib/index.js';
import { readHubVocabulary } from '../../lib/text/hub-tokenizer.js';
import { readTokenizerJson } from '../../lib/text/tokenizer-json.js';
import { TokenizerThread } from '../../lib/text/tokenizer-thread.js';
import { TextTokenizer } from '../../lib/text/tokenizer.js';
import type { TokenizerJson } from '../../lib/text/vocabulary.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { readTinyVocabulary } from '../fixtures/tiny-vocabulary.js';

const folder = mkdtempSync(join(tmpdir(), 'cachalot-strangers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = { bos: undefined, eos: 2, stops: [], addBos: false, chatTemplate: undefined };

const json = (): TokenizerJson => structuredClone(readTinyVocabulary().tokenizerJson);

const read = (change: Partial<TokenizerJson>) => {
  const path = join(folder, 'tokenizer.json');
  writeFileSync(path, JSON.stringify({ ...json(), ...change }));
  return readTokenizerJson(path, model);
};

test.each([1, 4])(
  'an end of text that a file has as type %d is a special token all the same',
  (type) => {
    const tokenizer = new TextTokenizer(readTinyVocabulary({ types: { 2: type } }));
    expect(tokenizer.encode('x</s>y')).not.toContain(2);
    expect(tokenizer.encode('x</s>y', { special: true })).toContain(2);
    expect(tokenizer.decode([2])).toBe('');
    expect(Array.from(tokenizer.stopTokens)).toContain(2);
  },
);

test('an ordinary token that looks like an end is none, unless the file says so', () => {
  const tokenizer = new TextTokenizer(readTinyVocabulary({ eos: 1, types: { 2: 4 } }));
  expect(Array.from(tokenizer.stopTokens)).toEqual([1]);
  expect(tokenizer.decode([2])).toBe('</s>');
});

test('ends of text in a folder that are no ids end nothing', async () => {
  const { path } = writeHubModel();
  writeFileSync(join(path, 'tokenizer_config.json'), '{}');
  const write = (eos_token_id: unknown) =>
    writeFileSync(join(path, 'generation_config.json'), JSON.stringify({ eos_token_id }));
  write('x');
  // "</s>" is special in tokenizer.json, and that is enough.
  expect(Array.from(new TextTokenizer(await readHubVocabulary(path)).stopTokens)).toEqual([2]);
  write(['x', -1, 2.5, 300]);
  const { eos, stops } = await readHubVocabulary(path);
  expect({ eos, stops }).toEqual({ eos: 300, stops: [300] });
});

test('a normal form that makes names of other characters makes no special tokens', async () => {
  const normalized = (json().added_tokens ?? []).map((token) => ({ ...token, normalized: true }));
  for (const added_tokens of [normalized, json().added_tokens!]) {
    const tokenizer = new TextTokenizer(await read({ normalizer: { type: 'NFKC' }, added_tokens }));
    for (const text of ['x＜/s＞y', '＜/s＞']) expect(tokenizer.encode(text)).not.toContain(2);
  }
});

test('a whole name is no special token either where whole words are looked up', async () => {
  const { model: own } = json();
  const tokenizer = new TextTokenizer(
    await read({
      normalizer: null,
      model: { ...own, ignore_merges: true } as TokenizerJson['model'],
    }),
  );
  expect(tokenizer.encode('</s>')).not.toContain(2);
  expect(tokenizer.decode(tokenizer.encode('</s>'))).toBe('</s>');
});

const replace = (content: string) => ({ type: 'Replace', pattern: { String: 'a' }, content });

test.each([
  [
    'replacements that multiply',
    {
      normalizer: {
        type: 'Sequence',
        normalizers: [replace('a'.repeat(9)), replace('a'.repeat(9))],
      },
    },
    'tokenizer_invalid',
  ],
  [
    'a long prefix',
    { normalizer: { type: 'Prepend', prepend: 'a'.repeat(99) } },
    'tokenizer_invalid',
  ],
  [
    'a step that may not end',
    { pre_tokenizer: { type: 'FixedLength', length: 0 } },
    'tokenizer_unsupported',
  ],
  ['an unknown normalizer', { normalizer: { type: 'Precompiled' } }, 'tokenizer_unsupported'],
] as [string, Partial<TokenizerJson>, string][])('%s: refused', async (_, change, code) => {
  await expect(read(change)).rejects.toMatchObject({ code });
});

test('patterns that we do not know run in the worker only', async () => {
  const path = join(folder, 'patterns.json');
  const pre_tokenizer = { type: 'Split', pattern: { Regex: '[aeiou]+|.' }, behavior: 'Isolated' };
  writeFileSync(path, JSON.stringify({ ...json(), pre_tokenizer }));
  const { path: weights } = await writeTinyModel();
  await using engine = await Engine.load(weights, { tokenizer: path });
  expect(() => engine.tokenize('the')).toThrow(/engine.cache.add/);
  expect((await engine.cache.add('the')).length).toBeGreaterThan(1);
});

test('a text that is aborted while it waits is dropped, and the others go on', async () => {
  const { path } = await writeTinyModel();
  const thread = await TokenizerThread.open(path);
  const abort = new AbortController();
  const texts = Array.from({ length: 4 }, (_, i) => 'the and '.repeat(2000 + i));
  const results = texts.map((text, i) =>
    thread.encode(text, {}, i === 2 ? abort.signal : undefined).then(
      (ids) => ids.length,
      (error: { code: string }) => error.code,
    ),
  );
  abort.abort();
  const [first, second, third, fourth] = await Promise.all(results);
  expect([first, second, fourth].every((length) => Number(length) > 4000)).toBe(true);
  expect(third).toBe('aborted');
  await thread.dispose();
  await expect(thread.encode('the', {})).rejects.toMatchObject({ code: 'disposed' });
});

test('a model loaded by a relative path still has its tokenizer when the program changes its folder', async () => {
  const { path } = await writeTinyModel({ shape: { context: 8192 } });
  const script = `const { Engine } = require(${JSON.stringify(join(__dirname, '..', '..', 'dist', 'index.js'))});
    process.chdir(${JSON.stringify(join(path, '..'))});
    Engine.load(${JSON.stringify(path.split('/').at(-1))}).then(async (engine) => { process.chdir('/');
      console.log((await engine.cache.add('the and '.repeat(1500))).length > 1000); await engine.dispose(); });`;
  const file = temporaryPath('chdir.cjs');
  writeFileSync(file, script);
  const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 30_000 });
  expect(stdout.trim()).toBe('true');
});
