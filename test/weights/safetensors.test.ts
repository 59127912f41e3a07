import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Engine } from '../../lib/index.js';
import { badSafetensors } from '../fixtures/bad-safetensors.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import type { HubOptions } from '../fixtures/hub-model.js';

/** A folder whose weights are replaced; the rest is sound. */
async function codeWith(weights: Uint8Array, options: HubOptions = {}): Promise<string> {
  const { path } = writeHubModel({ shape: { layers: 1 }, ...options });
  writeFileSync(join(path, 'model.safetensors'), weights);
  return codeOf(path);
}

async function codeOf(path: string): Promise<string> {
  try {
    const engine = await Engine.load(path);
    await engine.dispose();
    return 'accepted';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test.each(badSafetensors)('safetensors with %s: %s', async (_, code, bytes) => {
  expect(await codeWith(bytes)).toBe(code);
});

const readConfig = (path: string) =>
  JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as Record<string, unknown>;

test.each([
  [{ model_type: 'mamba' }, 'unsupported_architecture'],
  [{ model_type: 3 }, 'model_bad_value'],
  [{ hidden_act: 'gelu' }, 'unsupported_architecture'],
  [{ mlp_bias: true }, 'unsupported_architecture'],
  [{ hidden_size: undefined }, 'model_missing_key'],
  [{ hidden_size: 1e300 }, 'model_bad_value'],
  [{ hidden_size: 128 }, 'model_bad_shape'],
  [{ num_hidden_layers: 2 }, 'model_missing_tensor'],
  [{ num_hidden_layers: 2 ** 31 }, 'model_bad_value'],
  [{ num_key_value_heads: 3 }, 'model_bad_value'],
  [{ head_dim: 7 }, 'model_bad_value'],
  [{ rms_norm_eps: -1 }, 'model_bad_value'],
  [{ attention_bias: true }, 'model_missing_tensor'],
  [{ rope_scaling: { rope_type: 'dynamic', factor: 4 } }, 'unsupported_architecture'],
  [{ rope_scaling: { rope_type: 'longrope', factor: 4 } }, 'model_bad_value'],
  [
    { rope_scaling: { rope_type: 'longrope', short_factor: [1, 2], long_factor: 5 } },
    'model_bad_value',
  ],
  [{ rope_scaling: { rope_type: 'yarn', factor: 'x' } }, 'model_bad_value'],
  [
    { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 1 } },
    'model_bad_value',
  ],
  [{ model_type: 'mistral', layer_types: [], sliding_window: 8 }, 'model_bad_value'],
  [
    { model_type: 'mistral', layer_types: ['chunked_attention'], sliding_window: 8 },
    'unsupported_architecture',
  ],
  [{ rope_scaling: 'yarn' }, 'model_bad_value'],
  [{ rope_scaling: { rope_type: 'yarn' } }, 'model_bad_value'],
  [{ rope_scaling: { factor: 4 } }, 'model_bad_value'],
  [{ rope_parameters: { full_attention: { rope_type: 'default' } } }, 'unsupported_architecture'],
  [{ rope_theta: 1e-60 }, 'model_bad_value'],
  [{ partial_rotary_factor: 1e20 }, 'model_bad_value'],
] as [Record<string, unknown>, string][])('config.json with %j: %s', async (change, code) => {
  const { path } = writeHubModel({ shape: { layers: 1 } });
  writeFileSync(join(path, 'config.json'), JSON.stringify({ ...readConfig(path), ...change }));
  expect(await codeOf(path)).toBe(code);
});

describe('a folder', () => {
  const sharded = () => writeHubModel({ shape: { layers: 1 }, shards: 2 }).path;
  const index = 'model.safetensors.index.json';

  test('without config.json, tokenizer.json or weights says which is missing', async () => {
    for (const [name, code] of [
      ['config.json', 'model_not_found'],
      ['tokenizer.json', 'tokenizer_unsupported'],
      ['model.safetensors', 'model_not_found'],
    ] as const) {
      const { path } = writeHubModel({ shape: { layers: 1 } });
      const file = join(path, name);
      rmSync(file);
      await expect(Engine.load(path)).rejects.toMatchObject({
        code,
        message: expect.stringContaining(name) as string,
      });
    }
  });

  test.each([
    ['../../etc/passwd', 'file_bad_metadata'],
    ['/etc/passwd', 'file_bad_metadata'],
    ['..', 'file_bad_metadata'],
    ['a\\b', 'file_bad_metadata'],
    ['absent.safetensors', 'model_not_found'],
  ])('whose index names the shard %j is refused', async (file, code) => {
    const path = sharded();
    writeFileSync(join(path, index), JSON.stringify({ weight_map: { 'model.norm.weight': file } }));
    expect(await codeOf(path)).toBe(code);
  });

  test('whose index and shards disagree is refused', async () => {
    const path = sharded();
    const json = JSON.parse(readFileSync(join(path, index), 'utf8')) as {
      weight_map: Record<string, string>;
    };
    const names = Object.keys(json.weight_map);
    const files = [...new Set(Object.values(json.weight_map))];
    const write = (map: Record<string, string>) =>
      writeFileSync(join(path, index), JSON.stringify({ weight_map: map }));
    write({ ...json.weight_map, invented: files[0]! });
    expect(await codeOf(path)).toBe('model_missing_tensor');
    const { [names[0]!]: own, ...others } = json.weight_map;
    write(others);
    expect(await codeOf(path)).toBe('file_duplicate_tensor');
    write({ ...json.weight_map, [names[0]!]: files.find((file) => file !== own)! });
    expect(await codeOf(path)).toBe('file_duplicate_tensor');
  });

  test('loads by the path of its weights or of its index too, and describes itself', async () => {
    const path = sharded();
    for (const name of ['', index, 'model-00001-of-00002.safetensors']) {
      await using engine = await Engine.load(join(path, name));
      expect(engine.description).toMatchObject({ architecture: 'llama', layers: 1 });
      const { text } = await engine.complete('the and', { maxTokens: 4 }).result;
      expect(typeof text).toBe('string');
    }
  });
});
