import { writeFileSync } from 'node:fs';

import { Engine } from '../../lib/index.js';
import { convertLlama2c } from '../../lib/models/formats/llama2c.js';
import { temporaryPath, tinyVocabulary, writeTinyModel } from '../fixtures/tiny-model.js';

/** A llama2.c checkpoint with the weights of a tiny model, and its tokenizer behind it. */
async function checkpoint(): Promise<{ bytes: Buffer; tiny: string }> {
  const model = await writeTinyModel({ tied: true });
  const { width, ffn, layers, heads, kvHeads, context } = model.shape;
  const { tokens, scores } = tinyVocabulary();
  const header = Int32Array.of(width, ffn, layers, heads, kvHeads, tokens.length, context);
  const all = (name: string) =>
    Array.from({ length: layers }, (_, i) => model.tensors.get(`blk.${i}.${name}`)!.data);
  const names = [
    'attn_norm',
    'attn_q',
    'attn_k',
    'attn_v',
    'attn_output',
    'ffn_norm',
    'ffn_gate',
    'ffn_down',
    'ffn_up',
  ];
  const tokenizer = tokens.map((token, id) => {
    const piece =
      id < 3
        ? Buffer.from(id === 0 ? '<unk>' : `\n${token}\n`)
        : id < 259
          ? Buffer.of(id - 3)
          : Buffer.from(token.replaceAll('▁', ' '));
    const entry = Buffer.alloc(8);
    entry.writeFloatLE(scores[id]!, 0);
    entry.writeInt32LE(piece.length, 4);
    return Buffer.concat([entry, piece]);
  });
  const bytes = Buffer.concat([
    Buffer.from(header.buffer),
    model.tensors.get('token_embd')!.data,
    ...names.flatMap(all),
    model.tensors.get('output_norm')!.data,
    Buffer.alloc(4 * context * (width / heads)),
    Buffer.alloc(4),
    ...tokenizer,
  ]);
  return { bytes, tiny: model.path };
}

test('a llama2.c checkpoint becomes the same model', async () => {
  const { bytes, tiny } = await checkpoint();
  const [from, to] = [temporaryPath('model.bin'), temporaryPath('model.gguf')];
  writeFileSync(from, bytes);
  await convertLlama2c(from, to, 'tiny');
  await using converted = await Engine.load(to);
  await using original = await Engine.load(tiny);
  expect(converted.tokenize('the inn é')).toEqual(original.tokenize('the inn é'));
  expect(await converted.logits([1, 5, 9])).toEqual(await original.logits([1, 5, 9]));
});

test('a damaged checkpoint is refused wherever it is cut', async () => {
  const { bytes } = await checkpoint();
  for (const length of [0, 20, 28, 1000, Math.floor(bytes.length * 0.9), bytes.length - 1]) {
    const from = temporaryPath('cut.bin');
    writeFileSync(from, bytes.subarray(0, length));
    await expect(convertLlama2c(from, temporaryPath('cut.gguf'), 'cut')).rejects.toMatchObject({
      code: 'file_truncated',
    });
  }
});
