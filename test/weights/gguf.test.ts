import { writeFileSync } from 'node:fs';

import { Engine } from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { ggufHeader } from '../../lib/models/formats/gguf-writer.js';
import { badGguf } from '../fixtures/bad-gguf.js';
import { build, soundParts } from '../fixtures/gguf-bytes.js';
import {
  temporaryPath,
  tinyMetadata,
  tinyVocabulary,
  writeTinyModel,
} from '../fixtures/tiny-model.js';
import { Random } from '../random.js';

function write(bytes: Uint8Array): string {
  const path = temporaryPath('bad.gguf');
  writeFileSync(path, bytes);
  return path;
}

const codeOf = (bytes: Uint8Array) =>
  native()
    .readGguf(write(bytes))
    .then(
      () => 'accepted',
      (error: { code: string }) => error.code,
    );

describe('a GGUF file', () => {
  test('that is sound is read', async () => {
    const info = await native().readGguf(write(build(soundParts())));
    expect(info).toMatchObject({
      version: 3,
      metadata: { 'general.architecture': 'llama', 'llama.block_count': 1 },
      tensors: [
        { name: 'a', type: 'F32', shape: [4], bytes: 16 },
        { name: 'b', type: 'Q8_0', shape: [32], bytes: 34 },
      ],
    });
  });

  test.each(badGguf)('with %s is refused: %s', async (_, code, bytes) => {
    expect(await codeOf(bytes)).toBe(code);
  });

  test('cut off anywhere in the header is refused as truncated', async () => {
    const whole = build(soundParts());
    for (let length = 4; length < whole.length - 62; length++) {
      expect(await codeOf(whole.subarray(0, length))).toBe('file_truncated');
    }
  });

  test('with random bytes changed is read or refused, never worse', async () => {
    const random = new Random(99);
    const whole = build(soundParts());
    for (let i = 0; i < 500; i++) {
      const damaged = Buffer.from(whole);
      for (let n = random.below(4); n >= 0; n--)
        damaged[random.below(damaged.length - 96)] = random.below(256);
      expect(await codeOf(damaged)).toMatch(/^(accepted|file_|unsupported_type)/);
    }
  });

  test('that is empty, a folder, or not there is refused', async () => {
    expect(await codeOf(Buffer.alloc(0))).toBe('file_truncated');
    expect(await codeOf(Buffer.from('GG'))).toBe('file_bad_magic');
    await expect(native().readGguf(__dirname)).rejects.toMatchObject({ code: 'io' });
    await expect(native().readGguf('/no/such/file')).rejects.toMatchObject({
      code: 'model_not_found',
    });
    await expect(Engine.load('/no/such/file')).rejects.toMatchObject({
      code: 'model_not_found',
      name: 'CachalotError',
    });
  });
});

describe('a model', () => {
  const shape = { width: 64, ffn: 128, heads: 4, kvHeads: 2, layers: 2, context: 512 };

  /** A tiny model with other metadata. */
  async function loadWith(
    change: Record<string, object | undefined>,
    damage?: Parameters<typeof writeTinyModel>[0],
  ) {
    const model = await writeTinyModel(damage);
    const metadata = { ...tinyMetadata(shape, tinyVocabulary()), ...change } as Record<
      string,
      never
    >;
    for (const [key, value] of Object.entries(change))
      if (value === undefined) delete metadata[key];
    const tensors = [...model.tensors.values()];
    const pad = (bytes: Uint8Array) =>
      Buffer.concat([bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32)]);
    const path = write(
      Buffer.concat([pad(ggufHeader(metadata, tensors)), ...tensors.map(({ data }) => pad(data))]),
    );
    const engine = await Engine.load(path);
    await engine.dispose();
  }

  test('that is sound loads', () => loadWith({}));

  test.each([
    [{ 'general.architecture': undefined }, 'model_missing_key'],
    [{ 'general.architecture': { string: 'mamba' } }, 'unsupported_architecture'],
    [{ 'llama.block_count': undefined }, 'model_missing_key'],
    [{ 'llama.block_count': { u32: 0 } }, 'model_bad_value'],
    [{ 'llama.block_count': { u32: 4_000_000 } }, 'model_bad_value'],
    [{ 'llama.block_count': { string: '2' } }, 'model_bad_value'],
    [{ 'llama.block_count': { u32: 3 } }, 'model_missing_tensor'],
    [{ 'llama.embedding_length': { u32: 128 } }, 'model_bad_shape'],
    [{ 'llama.attention.head_count': { u32: 3 } }, 'model_bad_value'],
    [{ 'llama.attention.head_count': { u32: 64 } }, 'model_bad_value'],
    [{ 'llama.attention.head_count_kv': { u32: 3 } }, 'model_bad_value'],
    [{ 'llama.attention.head_count_kv': { u32: 4 } }, 'model_bad_shape'],
    [{ 'llama.attention.layer_norm_rms_epsilon': { f32: NaN } }, 'model_bad_value'],
    [{ 'llama.rope.freq_base': { f32: -1 } }, 'model_bad_value'],
    [{ 'llama.rope.dimension_count': { u32: 17 } }, 'model_bad_value'],
    [{ 'llama.rope.scaling.type': { string: 'dynamic' } }, 'unsupported_architecture'],
    [{ 'llama.rope.scaling.type': { string: 'longrope' } }, 'model_missing_key'],
    [{ 'llama.rope.scaling.type': { u32: 1 } }, 'model_bad_value'],
    [{ 'llama.rope.scaling.factor': { f32: -4 } }, 'model_bad_value'],
    [{ 'llama.expert_count': { u32: 8 } }, 'unsupported_architecture'],
    [{ 'llama.attention.sliding_window': { u32: 0 } }, 'model_bad_value'],
    [{ 'llama.attention.key_length': { u32: 1024 } }, 'model_bad_value'],
    [
      {
        'tokenizer.ggml.tokens': { strings: ['a'] },
        'tokenizer.ggml.scores': { f32s: [0] },
        'tokenizer.ggml.token_type': { i32s: [1] },
        'tokenizer.ggml.bos_token_id': undefined,
        'tokenizer.ggml.eos_token_id': undefined,
      },
      'tokenizer_invalid',
    ],
  ] as [Record<string, object | undefined>, string][])(
    'with %j is refused: %s',
    async (change, code) => {
      await expect(loadWith(change)).rejects.toMatchObject({ name: 'CachalotError', code });
    },
  );

  test('with a tensor that would be ignored is refused by its name', async () => {
    const bias = { name: 'blk.0.ffn_up.bias', shape: [64], type: 0, data: new Uint8Array(256) };
    await expect(
      loadWith({}, { change: (tensors) => void tensors.set(bias.name, bias) }),
    ).rejects.toMatchObject({
      code: 'unsupported_architecture',
      message: expect.stringContaining(bias.name) as string,
    });
  });

  test('that claims a context of millions of tokens costs nothing until they are used', async () => {
    const before = process.memoryUsage.rss();
    await loadWith({ 'llama.context_length': { u32: 2 ** 24 } });
    expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
  });

  test('without a tensor, or with one of another shape, is refused by the name of the tensor', async () => {
    const name = 'blk.1.ffn_up';
    await expect(loadWith({}, { change: (tensors) => tensors.delete(name) })).rejects.toMatchObject(
      {
        code: 'model_missing_tensor',
        message: expect.stringContaining(name) as string,
      },
    );
    const swap = {
      change: (tensors: Map<string, { shape: readonly number[] }>) =>
        void (tensors.get(name)!.shape = [128, 64]),
    };
    await expect(loadWith({}, swap)).rejects.toMatchObject({
      code: 'model_bad_shape',
      message: expect.stringContaining(name) as string,
    });
  });
});
