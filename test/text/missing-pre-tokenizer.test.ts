/** GGUF files that do not say how their tokenizer cuts text: Llama 3's of April 2024, and others of before May 2024. */
import { writeGguf } from '../../lib/models/formats/gguf-writer.js';
import { readVocabulary } from '../../lib/text/gguf-tokenizer.js';
import { PRE_TOKENIZERS } from '../../lib/text/pre-tokenizers.js';
import { TokenizerThread } from '../../lib/text/tokenizer-thread.js';
import { temporaryPath } from '../fixtures/tiny-model.js';

const read = (merges: number, tokens = 300, pre?: string) =>
  readVocabulary({
    tensors: [],
    metadata: {
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.tokens': Array.from({ length: tokens }, (_, id) => `t${id}`),
      'tokenizer.ggml.merges': new Array<string>(merges).fill('t1 t2'),
      ...(pre === undefined ? {} : { 'tokenizer.ggml.pre': pre }),
    },
  });

test('a file of Llama 3 of April 2024 is cut and begun as Llama 3, and the warning says so', () => {
  const { tokenizerJson, addBos, warnings } = read(280_147, 128_256);
  const known = PRE_TOKENIZERS.get('llama-bpe')!;
  expect(tokenizerJson).toMatchObject({
    pre_tokenizer: known.step,
    model: { ignore_merges: true },
  });
  expect(addBos).toBe(true);
  expect(warnings).toEqual([
    expect.stringMatching(/'llama-bpe' is taken, as Llama 3 has 280147 merges.* 128256 tokens/),
  ]);
});

test.each([
  [151_387, 'qwen2'],
  [269_443, 'tekken'],
  [48_900, 'smollm'],
  [31_757, 'deepseek-coder'],
  [99_757, 'deepseek-llm'],
  [50_000, 'gpt-2'],
  [77, 'default'],
])('%d merges are those of %s', (merges, name) => {
  const { tokenizerJson, warnings } = read(merges);
  expect(tokenizerJson.pre_tokenizer).toEqual(PRE_TOKENIZERS.get(name)!.step);
  expect(warnings).toEqual([expect.stringContaining(`'${name}' is taken`)]);
});

test('a file that says it is believed, in silence', () => {
  const { tokenizerJson, warnings } = read(280_147, 300, 'gpt-2');
  expect(tokenizerJson.pre_tokenizer).toEqual(PRE_TOKENIZERS.get('gpt-2')!.step);
  expect(warnings).toBeUndefined();
});

test('whoever loads such a model hears of it once, by a warning of the process', async () => {
  const path = temporaryPath('no-pre.gguf');
  await writeGguf(
    path,
    {
      'general.architecture': { string: 'llama' },
      'tokenizer.ggml.model': { string: 'gpt2' },
      'tokenizer.ggml.tokens': { strings: ['a', 'b', 'ab'] },
      'tokenizer.ggml.merges': { strings: ['a b'] },
    },
    [],
  );
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  try {
    const thread = await TokenizerThread.open(path);
    expect(Array.from(await thread.encode('ab', {}))).toEqual([2]);
    await Promise.all(['ab'.repeat(9000), 'a'].map((text) => thread.encode(text, {})));
    await thread.dispose();
    expect(warn.mock.calls).toEqual([
      [
        expect.stringMatching(/no-pre\.gguf': .*'default' is taken/),
        { type: 'CachalotWarning', code: 'tokenizer_guessed' },
      ],
    ]);
  } finally {
    warn.mockRestore();
  }
});
