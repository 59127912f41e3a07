import { createHash } from 'node:crypto';

import { Engine } from '../../lib/index.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyModel, TinyOptions } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import { forward } from '../reference/forward.js';
import { paths } from '../testing.js';

const random = new Random(5);
const tokens = Array.from({ length: 64 }, () => 3 + random.below(300));

/** A model of the same weights is asked for once for each path. */
const known = new Map<string, Float64Array[]>();
function reference(model: TinyModel): Float64Array[] {
  const { tensors } = model;
  const weights = createHash('sha256');
  for (const [name, { data }] of tensors) weights.update(name).update(data);
  const key = weights.digest('hex') + JSON.stringify({ ...model, path: '', tensors: [] });
  const made = known.get(key) ?? forward(model, tokens);
  known.set(key, made);
  return made;
}

/** Largest difference from the float64 forward pass, as a share of the largest logit. */
async function error(model: TinyModel, instructions: string): Promise<number> {
  const expected = reference(model);
  await using engine = await Engine.load(model.path, {
    instructions: instructions as 'auto',
    kv: { format: 'f32' },
    checkInvariants: true,
  });
  const logits = await engine.logits(tokens, { rows: tokens.map((_, i) => i) });
  let [worst, largest] = [0, 0];
  logits.forEach((row, t) =>
    row.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - expected[t]![i]!));
      largest = Math.max(largest, Math.abs(expected[t]![i]!));
    }),
  );
  return worst / largest;
}

const cases: [string, TinyOptions][] = [
  ['llama', {}],
  ['llama, tied embeddings', { tied: true }],
  ['llama, linear scaling', { scaling: { type: 'linear', factor: 4, original: 64 } }],
  ['llama, llama3 scaling', { scaling: { type: 'llama3', factor: 8, original: 64 } }],
  ['llama, yarn scaling', { scaling: { type: 'yarn', factor: 4, original: 64 } }],
  ['mistral, sliding window', { architecture: 'mistral', window: 40 }],
  ['qwen2, biases', { architecture: 'qwen2' }],
  ['qwen3, normed heads of their own size', { architecture: 'qwen3', shape: { headDim: 24 } }],
];

describe.each(cases)('%s: equals float64', (_, options) => {
  test.each(paths)('from a GGUF file, on %s', async (path) => {
    expect(await error(await writeTinyModel(options), path)).toBeLessThan(3e-5);
  });

  test('from a Hugging Face folder', async () => {
    expect(await error(writeHubModel(options), 'auto')).toBeLessThan(3e-5);
  });
});

test('scaling changes the answer, so the cases above can fail', async () => {
  const plain = await writeTinyModel();
  for (const type of ['linear', 'llama3', 'yarn'] as const) {
    const scaled = { ...plain, rope: { base: 10000, scaling: { type, factor: 8, original: 64 } } };
    expect(await error(scaled, 'auto')).toBeGreaterThan(1e-2);
  }
});

test('safetensors in shards, and in F16 and BF16, give what one F32 file gives', async () => {
  const shape = { layers: 1 };
  for (const options of [{ shards: 3 }, { type: 'F16' }, { type: 'BF16' }, { tied: true }]) {
    const model = writeHubModel({ shape, ...options });
    expect(await error(model, 'portable')).toBeLessThan(options.type === 'BF16' ? 5e-3 : 3e-5);
  }
});

test('qwen2 in a folder: a window only from max_window_layers on, and only if it is used', async () => {
  const options: TinyOptions = { architecture: 'qwen2', window: 30 };
  const off = writeHubModel({ ...options, config: { use_sliding_window: false } });
  expect(await error({ ...off, window: 0 }, 'auto')).toBeLessThan(3e-5);
  const late = writeHubModel({ ...options, config: { max_window_layers: 2 } });
  expect(await error({ ...late, window: 0 }, 'auto')).toBeLessThan(3e-5);
});

test('config.json of newer files: rope_parameters, and rope_scaling, which comes before it', async () => {
  const scaling = { type: 'linear' as const, factor: 4, original: 64 };
  const plain = (config: Record<string, unknown>) =>
    writeHubModel({ shape: { layers: 1 }, config: { rope_theta: undefined, ...config } });
  const linear = { rope_type: 'linear', factor: 4 };
  const rope = { base: 10000, scaling };
  const saved = { rope_theta: 10000, rope_type: 'default' };
  for (const config of [
    { rope_parameters: { rope_theta: 10000, ...linear } },
    { rope_parameters: saved, rope_scaling: linear },
  ]) {
    expect(await error({ ...plain(config), rope }, 'auto')).toBeLessThan(3e-5);
  }
  expect(await error(plain({ rope_parameters: saved, rope_scaling: {} }), 'auto')).toBeLessThan(
    3e-5,
  );
});

test('windows as the transformers library has them where config.json is silent', async () => {
  const shape = { layers: 1 };
  const qwen = writeHubModel({ architecture: 'qwen2', shape, window: 30 });
  expect(await error({ ...qwen, window: 0 }, 'auto')).toBeLessThan(3e-5); // from layer 28 on
  const all = {
    architecture: 'qwen2',
    shape,
    window: 30,
    config: { max_window_layers: 0 },
  } as const;
  expect(await error(writeHubModel(all), 'auto')).toBeLessThan(3e-5);
  const none = { architecture: 'mistral', shape, config: { sliding_window: null } } as const;
  expect(await error(writeHubModel(none), 'auto')).toBeLessThan(3e-5);
  const llama = writeHubModel({ shape, config: { use_sliding_window: true, sliding_window: 20 } });
  expect(await error(llama, 'auto')).toBeLessThan(3e-5);
});
