import { writeFileSync } from 'node:fs';

import { Engine } from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { readVocabulary } from '../../lib/text/gguf-tokenizer.js';
import { readTokenizerJson } from '../../lib/text/tokenizer-json.js';
import { TextTokenizer } from '../../lib/text/tokenizer.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const model = { bos: 1, eos: 2, stops: [], addBos: true, chatTemplate: undefined };

function write(json: unknown): string {
  const path = temporaryPath('tokenizer.json');
  writeFileSync(path, typeof json === 'string' ? json : JSON.stringify(json));
  return path;
}

describe('a tokenizer.json', () => {
  test('gives the ids and the text of the vocabulary it was made from', async () => {
    const { path } = await writeTinyModel();
    const own = readVocabulary(await native().readGguf(path));
    const json = write(own.tokenizerJson);
    const [a, b] = [
      new TextTokenizer(own),
      new TextTokenizer(await readTokenizerJson(json, model)),
    ];
    for (const text of ['the inn', 'é 日本 </s>', ' a\tb', '']) {
      expect(b.encode(text, { bos: true })).toEqual(a.encode(text, { bos: true }));
      expect(b.encode(text, { special: true })).toEqual(a.encode(text, { special: true }));
      expect(b.decode(b.encode(text))).toBe(a.decode(a.encode(text)));
    }
    expect(b.stopTokens).toEqual(a.stopTokens);
    await using engine = await Engine.load(path, { tokenizer: json });
    expect(engine.tokenize('the')).toEqual(Array.from(a.encode('the')));
  });

  test('of a byte-level model is told by its steps', async () => {
    const json = {
      model: { type: 'BPE', vocab: { Ġa: 0, é: 1 }, merges: [] },
      decoder: { type: 'Sequence', decoders: [{ type: 'ByteLevel' }] },
      added_tokens: [{ id: 2, content: '<|end|>', special: true }],
    };
    const vocabulary = await readTokenizerJson(write(json), model);
    expect(vocabulary.encoding).toBe('byte-level');
    expect(new TextTokenizer({ ...vocabulary, eos: undefined }).decode([0, 2])).toBe(' a');
  });

  test.each([
    ['{', 'tokenizer_invalid'],
    ['null', 'tokenizer_unsupported'],
    [{ model: { type: 'Unigram', vocab: {} } }, 'tokenizer_unsupported'],
    [{ model: { type: 'BPE', vocab: { a: -1 } } }, 'tokenizer_invalid'],
    [{ model: { type: 'BPE', vocab: { a: 4e9 } } }, 'tokenizer_invalid'],
    [
      { model: { type: 'BPE', vocab: {} }, added_tokens: [{ id: 0, content: 5 }] },
      'tokenizer_invalid',
    ],
  ])('%j is refused: %s', async (json, code) => {
    await expect(readTokenizerJson(write(json), model)).rejects.toMatchObject({ code });
  });

  test('of another size than the model is refused', async () => {
    const { path } = await writeTinyModel();
    const json = write({ model: { type: 'BPE', vocab: { a: 0, b: 1, c: 2 }, merges: [] } });
    await expect(Engine.load(path, { tokenizer: json })).rejects.toMatchObject({
      code: 'tokenizer_invalid',
    });
    await expect(Engine.load(path, { tokenizer: '/no/such' })).rejects.toMatchObject({
      code: 'io',
      message: "cannot read '/no/such': there is no such file or folder",
    });
  });
});
