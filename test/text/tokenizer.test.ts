import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { native } from '../../lib/native.js';
import { readVocabulary } from '../../lib/text/gguf-tokenizer.js';
import { TextTokenizer } from '../../lib/text/tokenizer.js';
import { tinyVocabulary, writeTinyModel } from '../fixtures/tiny-model.js';
import { golden, sharedModels } from '../real-models.js';

async function tokenizerOf(path: string): Promise<TextTokenizer> {
  return new TextTokenizer(readVocabulary(await native().readGguf(path)));
}

describe('a SentencePiece tokenizer made from a GGUF vocabulary', () => {
  let tokenizer: TextTokenizer;
  beforeAll(async () => void (tokenizer = await tokenizerOf((await writeTinyModel()).path)));

  test.each(['the inn', ' a  b ', 'tab\there', 'é 日本 👩‍👩‍👧 \u0000', '', '</s> <s>', '<0x41>'])(
    '%j comes back from its ids',
    (text) => {
      const back = tokenizer.decode(tokenizer.encode(text));
      expect(back).toBe(text === '' ? '' : ` ${text}`); // SentencePiece puts a space first
    },
  );

  test('merges the best-scored pieces first', () => {
    const { tokens } = tinyVocabulary();
    expect(Array.from(tokenizer.encode('the'), (id) => tokens[id])).toEqual(['▁the']);
    expect(Array.from(tokenizer.encode('then'), (id) => tokens[id])).toEqual(['▁the', 'n']);
  });

  test('names of special tokens are text, unless asked for', () => {
    expect(tokenizer.encode('</s>')).not.toContain(2);
    expect(Array.from(tokenizer.encode('</s>', { special: true }))).toEqual([2]);
    expect(tokenizer.encode('a', { bos: true })[0]).toBe(1);
    expect(
      Array.from(tokenizer.encode('<s>a', { special: true, bos: true })).filter((id) => id === 1),
    ).toHaveLength(1);
  });
});

describe.each(['stories15M', 'minimind'] as const)('the real tokenizer of %s', (name) => {
  const path = sharedModels[name];
  const run =
    path && existsSync(path) && existsSync(join(golden, `${name}.json`)) ? test : test.skip;
  run('gives the ids of Hugging Face transformers', async () => {
    const tokenizer = await tokenizerOf(path!);
    for (const { prompt, ids } of (
      require(join(golden, `${name}.json`)) as { cases: { prompt: string; ids: number[] }[] }
    ).cases) {
      expect(Array.from(tokenizer.encode(prompt, { special: true, bos: true }))).toEqual(ids);
    }
  });
});

describe('a damaged vocabulary is refused by name', () => {
  test.each([
    [{ 'tokenizer.ggml.model': 'bert' }, 'tokenizer_unsupported'],
    [
      { 'tokenizer.ggml.tokens': ['a'], 'tokenizer.ggml.scores': Float64Array.of() },
      'tokenizer_invalid',
    ],
    [{ 'tokenizer.ggml.tokens': Float64Array.of(1, 2) }, 'tokenizer_invalid'],
    [{ 'tokenizer.ggml.bos_token_id': 99 }, 'tokenizer_invalid'],
    [{ 'tokenizer.ggml.token_type': Float64Array.of(1) }, 'tokenizer_invalid'],
    [
      { 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': 'unheard-of' },
      'tokenizer_unsupported',
    ],
    [{ 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.merges': ['ab'] }, 'tokenizer_invalid'],
  ])('%j', (change, code) => {
    const metadata = {
      'tokenizer.ggml.model': 'llama',
      'tokenizer.ggml.tokens': ['<unk>', 'a', 'b'],
      'tokenizer.ggml.scores': Float64Array.of(0, 0, 0),
      ...change,
    };
    expect(() => readVocabulary({ metadata, tensors: [] })).toThrow(
      expect.objectContaining({ code }) as Error,
    );
  });

  test('token names of object members are tokens like any other', () => {
    const tokens = ['<unk>', 'constructor', '__proto__', 'toString'];
    const vocabulary = readVocabulary({
      metadata: {
        'tokenizer.ggml.model': 'llama',
        'tokenizer.ggml.tokens': tokens,
        'tokenizer.ggml.scores': Float64Array.of(0, 0, 0, 0),
      },
      tensors: [],
    });
    expect(new TextTokenizer(vocabulary).decode([1, 2, 3])).toBe('constructor__proto__toString');
  });

  // Trying every cut of it would take 45 GB and minutes.
  test('a token of 300,000 characters is not cut everywhere', () => {
    const tokens = ['<unk>', 'a', 'a'.repeat(300_000)];
    const { tokenizerJson } = readVocabulary({
      metadata: {
        'tokenizer.ggml.model': 'llama',
        'tokenizer.ggml.tokens': tokens,
        'tokenizer.ggml.scores': new Float64Array(3),
      },
      tensors: [],
    });
    expect(tokenizerJson.model).toMatchObject({ merges: [] });
  });
});
