/** Text becomes tokens in workers: what that leaves to the JavaScript thread, and which texts wait for which. */
import { execFile } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { TokenizerThread } from '../../lib/text/tokenizer-thread.js';
import { TextTokenizer } from '../../lib/text/tokenizer.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { readTinyVocabulary } from '../fixtures/tiny-vocabulary.js';

test('loading, text, and the breakers of DRY make no vocabulary in the JavaScript thread', async () => {
  const { path } = await writeTinyModel({
    template: '{% for m in messages %}{{ m.content }}{% endfor %}',
  });
  const script = `const { native } = require('./dist/native.js');
    const { readGguf } = native();
    let read = 0;
    native().readGguf = (...given) => (read++, readGguf(...given));
    const { Engine } = require('./dist/index.js');
    (async () => {
      const engine = await Engine.load(${JSON.stringify(path)});
      const dry = { multiplier: 1, breakers: ['the', ':'] };
      await engine.createSession().chat('the', { maxTokens: 2, dry }).result;
      engine.detokenize(engine.tokenize('the inn'));
      await engine.dispose();
      const libraries = Object.keys(require.cache).filter((name) => name.includes('@huggingface'));
      console.log(JSON.stringify([read, libraries]));
    })();`;
  const root = join(__dirname, '..', '..');
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: root });
  expect(JSON.parse(stdout)).toEqual([0, []]);
});

test('tokens with some strings are those in whose own text they are', () => {
  const vocabulary = readTinyVocabulary();
  const { table } = new TextTokenizer(vocabulary);
  for (const texts of [['t'], ['th', 'e'], ['an', '\n'], ['日'], ['nt', 'xy'], []]) {
    const expected = vocabulary.tokens
      .map((_, id) => id)
      .filter((id) => texts.some((text) => table.decode([id]).includes(text)));
    expect([texts, Array.from(table.tokensWith(texts))]).toEqual([texts, expected]);
  }
});

test('the answer for one list of strings is kept, and never taken for another', async () => {
  const { path } = await writeTinyModel();
  const thread = await TokenizerThread.open(path);
  const first = thread.tokensWith(['t', 'h']);
  expect(thread.tokensWith(['t', 'h'])).toBe(first);
  expect((await thread.tokensWith(['t\0h'])).length).toBe(0);
  expect((await first).length).toBeGreaterThan(3);
  await thread.dispose();
});

describe('a text that takes for ever', () => {
  let thread: TokenizerThread;
  beforeAll(async () => {
    // Every "a" doubles what this pattern tries before a letter that is no "a".
    const pre_tokenizer = { type: 'Split', pattern: { Regex: '(a+)+b|.' }, behavior: 'Isolated' };
    const { tokens, tokenizerJson } = readTinyVocabulary();
    const file = temporaryPath('endless.json');
    writeFileSync(file, JSON.stringify({ ...tokenizerJson, normalizer: null, pre_tokenizer }));
    thread = await TokenizerThread.open((await writeTinyModel()).path, file);
    expect(thread.table.size).toBe(tokens.length);
  });
  afterAll(() => thread.dispose());

  const endless = 'a'.repeat(70_000);

  test('holds up no shorter one, and once it is aborted none that is as long', async () => {
    const abort = new AbortController();
    const first = thread.encode(endless, {}, abort.signal);
    const next = thread.encode('the '.repeat(17_000), {});
    expect((await thread.encode('the inn', {})).length).toBeGreaterThan(3);
    expect(thread.encodeNow('the inn', {}).length).toBeGreaterThan(3);
    abort.abort();
    await expect(first).rejects.toMatchObject({ code: 'aborted' });
    expect((await next).length).toBeGreaterThan(17_000);
  });
});

test('workers that start later read the files that were loaded, or say that there are others now', async () => {
  const { path } = await writeTinyModel();
  const thread = await TokenizerThread.open(path);
  try {
    const long = 'the '.repeat(20_000); // for a worker of its own
    const other = await writeTinyModel({ seed: 9 });
    renameSync(other.path, path);
    expect((await thread.encode('the', {})).length).toBe(1);
    await expect(thread.encode(long, {})).rejects.toMatchObject({ code: 'model_changed' });
    rmSync(path);
    await expect(thread.encode(long, {})).rejects.toMatchObject({ code: 'model_changed' });
  } finally {
    await thread.dispose();
  }
});
