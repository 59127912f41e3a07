/** How positions are stretched when a model is loaded: the option `rope`. */
import type { LoadOptions } from '../../lib/index.js';
import { Engine } from '../../lib/index.js';
import { writeGguf } from '../../lib/models/formats/gguf-writer.js';
import { ropeTable } from '../../lib/models/rope-table.js';
import { readRope, ropeFlag } from '../../lib/cli/rope-flag.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import {
  makeTinyModel,
  temporaryPath,
  tinyMetadata,
  tinyVocabulary,
  writeTinyModel,
} from '../fixtures/tiny-model.js';
import type { TinyModel } from '../fixtures/tiny-model.js';
import { forward } from '../reference/forward.js';
import { ropeOf } from '../reference/rope.js';

const TOKENS = Array.from({ length: 80 }, (_, i) => 3 + ((i * 7919) % 300));
const exact = { kv: { format: 'f32' as const } };

async function logits(path: string, options: LoadOptions = {}) {
  await using engine = await Engine.load(path, { ...exact, ...options });
  return await engine.logits(TOKENS, { rows: [...TOKENS.keys()] });
}

function errorOf(given: readonly Float32Array[], model: Omit<TinyModel, 'path'>): number {
  const wanted = forward(model, TOKENS);
  const largest = Math.max(...wanted.flatMap((row) => [...row.map(Math.abs)]));
  return (
    Math.max(
      ...given.flatMap((row, i) => [...row.map((value, j) => Math.abs(value - wanted[i]![j]!))]),
    ) / largest
  );
}

const DIMS = 16;
const BASE = makeTinyModel().rope.base;

test('neutral values leave the bits as they are', async () => {
  const { path } = await writeTinyModel();
  const plain = await logits(path);
  const dims = DIMS / 2;
  for (const rope of [
    { scaling: 'none' },
    { scaling: 'linear', factor: 1 },
    { scaling: 'ntk', factor: 1 },
    { scaling: 'yarn', factor: 1 },
    { base: BASE },
    { table: Array.from({ length: dims }, () => 1) },
  ] as const)
    expect(await logits(path, { rope })).toEqual(plain);
});

test.each([
  ['linear', 2.5],
  ['yarn', 4],
] as const)('%s as a file that says so has it', async (type, factor) => {
  const { path } = await writeTinyModel();
  const scaling = { type, factor, original: 512 };
  const said = await writeTinyModel({ scaling });
  const stretched = await logits(path, { rope: { scaling: type, factor } });
  expect(stretched).toEqual(await logits(said.path));
  expect(stretched).not.toEqual(await logits(path));
  // And what the file says can be undone.
  expect(await logits(said.path, { rope: { scaling: 'none' } })).toEqual(await logits(path));
});

test("Llama 3's scaling, which a GGUF file has as a tensor, can be undone, too", async () => {
  const { path } = await writeTinyModel();
  const scaling = { type: 'llama3', factor: 8, original: 64 } as const;
  const said = await writeTinyModel({ scaling });
  const plain = await logits(path);
  expect(await logits(said.path)).not.toEqual(plain);
  expect(await logits(said.path, { rope: { scaling: 'none' } })).toEqual(plain);
});

test('ntk, base and table as the float64 reference has them', async () => {
  const model = await writeTinyModel();
  const table = Array.from({ length: DIMS / 2 }, (_, i) => 1 + i / 3);
  const ntkBase = BASE * 3 ** (DIMS / (DIMS - 2));
  const cases = [
    [{ scaling: 'ntk', factor: 3 }, { base: ntkBase }],
    [{ base: 50_000 }, { base: 50_000 }],
    [{ table }, { base: BASE, scaling: { type: 'table', divisors: table, magnitude: 1 } }],
  ] as const;
  for (const [rope, wanted] of cases) {
    const given = await logits(model.path, { rope: rope });
    expect(errorOf(given, { ...model, rope: wanted })).toBeLessThan(2e-5);
    expect(errorOf(given, model)).toBeGreaterThan(1e-3);
  }
});

describe('longrope: the table for short contexts, or the one for long ones, as `contextLength` says', () => {
  const short = Array.from({ length: DIMS / 2 }, (_, i) => 1 + i / 20);
  const long = Array.from({ length: DIMS / 2 }, (_, i) => 1 + i);
  const magnitude = Math.sqrt(1 + Math.log(4) / Math.log(128));

  async function ggufModel() {
    const model = makeTinyModel();
    const path = temporaryPath('longrope.gguf');
    const metadata = {
      ...tinyMetadata(model.shape, tinyVocabulary()),
      'llama.rope.scaling.type': { string: 'longrope' },
      'llama.rope.scaling.original_context_length': { u32: 128 },
      'llama.rope.scaling.attn_factor': { f32: magnitude },
    };
    const tensor = (name: string, numbers: number[]) => {
      const data = new Uint8Array(Float32Array.from(numbers).buffer);
      return { name: `rope_factors_${name}.weight`, shape: [numbers.length], type: 0, data };
    };
    const tables = [tensor('short', short), tensor('long', long)];
    await writeGguf(path, metadata, [...model.tensors.values(), ...tables]);
    return { ...model, path };
  }

  const hubModel = () =>
    writeHubModel({
      config: {
        rope_scaling: {
          rope_type: 'longrope',
          original_max_position_embeddings: 128,
          short_factor: short,
          long_factor: long,
        },
      },
    });

  test.each([
    ['GGUF', ggufModel],
    ['config.json', hubModel],
  ])('%s', async (_name, write) => {
    const model = await write();
    const check = async (options: LoadOptions, divisors: number[]) => {
      const rope = {
        base: model.rope.base,
        scaling: { type: 'table', divisors, magnitude },
      } as const;
      expect(errorOf(await logits(model.path, options), { ...model, rope })).toBeLessThan(2e-5);
    };
    await check({ contextLength: 128 }, short);
    await check({ contextLength: 129 }, long);
    await check({}, long);
    await check({ rope: { scaling: 'longrope' } }, long);
  });

  test('a file without its tables, and one that is not trained so, are refused', async () => {
    const { path } = await writeTinyModel();
    await expect(logits(path, { rope: { scaling: 'longrope' } })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const model = makeTinyModel();
    const broken = temporaryPath('broken.gguf');
    const metadata = {
      ...tinyMetadata(model.shape, tinyVocabulary()),
      'llama.rope.scaling.type': { string: 'longrope' },
      'llama.rope.scaling.original_context_length': { u32: 128 },
    };
    await writeGguf(broken, metadata, [...model.tensors.values()]);
    await expect(logits(broken)).rejects.toMatchObject({ code: 'model_missing_tensor' });
  });
});

test('the context may then be longer than the model was trained for', async () => {
  const { path } = await writeTinyModel();
  const lengthOf = async (options: LoadOptions) => {
    await using engine = await Engine.load(path, options);
    return engine.description.contextLength;
  };
  expect(await lengthOf({ rope: { scaling: 'ntk', factor: 2 } })).toBe(1024);
  expect(await lengthOf({ rope: { scaling: 'ntk', factor: 2 }, contextLength: 3000 })).toBe(3000);
  expect(await lengthOf({ rope: { base: 50_000 } })).toBe(512);
  expect(await lengthOf({ rope: { base: 50_000 }, contextLength: 2000 })).toBe(2000);
  await expect(lengthOf({ contextLength: 513 })).rejects.toThrow(/`rope` stretches/);
});

test('bad options are refused, and say what is expected', async () => {
  const { path } = await writeTinyModel();
  for (const rope of [
    { scaling: 'dynamic' },
    { scaling: 'linear' },
    { factor: 2 },
    { scaling: 'none', factor: 2 },
    { scaling: 'linear', factor: 0 },
    { scaling: 'linear', factor: Number.NaN },
    { base: -1 },
    { table: [] },
    { table: [1, 2, 3] },
    { table: Array.from({ length: DIMS / 2 }, () => 0) },
    { table: 'table.json' },
    { scale: 2 },
  ])
    await expect(logits(path, { rope: rope as object })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
});

describe('the table by the distribution of angles', () => {
  const shape = { base: 10_000, dims: 64, trainedLength: 2048, factor: 2 };

  test('pairs that turn often are kept, those that have not turned once are divided', () => {
    const { table, disturbances } = ropeTable(shape);
    expect(table).toHaveLength(32);
    expect(new Set(table)).toEqual(new Set([1, 2]));
    const turns = ropeOf({ base: 10_000 }, 64).frequencies.map((f) => (2048 * f) / (2 * Math.PI));
    table.forEach((divisor, i) => {
      if (turns[i]! < 0.5) expect(divisor).toBe(2);
      if (turns[i]! > 100)
        expect(Math.min(disturbances[i]!.kept, disturbances[i]!.divided)).toBeLessThan(0.1);
      expect(divisor === 1).toBe(disturbances[i]!.kept <= disturbances[i]!.divided);
    });
  });

  test('nothing is disturbed by a factor of 1', () => {
    const { disturbances } = ropeTable({ ...shape, factor: 1 });
    for (const { kept } of disturbances) expect(Math.abs(kept)).toBeLessThan(1e-3);
  });
});

test('the flag: a scaling with its factor, JSON, or the table of a file', async () => {
  expect(ropeFlag('linear:2')).toEqual({ scaling: 'linear', factor: 2 });
  expect(ropeFlag('yarn:1.5')).toEqual({ scaling: 'yarn', factor: 1.5 });
  expect(ropeFlag('none')).toEqual({ scaling: 'none' });
  expect(ropeFlag('{"base": 5e5}')).toEqual({ base: 5e5 });
  expect(ropeFlag('table:x.json')).toEqual({ file: 'x.json' });
  expect(await readRope({ scaling: 'none' })).toEqual({ scaling: 'none' });
  for (const bad of [
    '',
    'linear',
    'linear:',
    'linear:0',
    'cubic:2',
    '{',
    '{"scale":1}',
    'linear:2:3',
  ])
    expect(() => ropeFlag(bad)).toThrow(/expected|one of|unknown|JSON/);
  await expect(readRope({ file: '/does/not/exist' })).rejects.toMatchObject({ code: 'io' });
});
