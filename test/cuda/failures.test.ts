/** What goes wrong on a GPU is an error with a code, and nothing else suffers. */
import { Engine } from '../../lib/index.js';
import type { LoadOptions } from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyModel } from '../fixtures/tiny-model.js';
import { emulatedLibrary, testing } from '../testing.js';

const onEmulator = emulatedLibrary === undefined ? describe.skip : describe;
const library = emulatedLibrary ?? '';
const GIB = 2 ** 30;

let model: TinyModel;
beforeAll(async () => {
  model = await writeTinyModel({ type: 'Q8_0', shape: { width: 96, heads: 6, kvHeads: 2 } });
});
const load = (options: LoadOptions = {}) =>
  Engine.loadWith(
    model.path,
    { device: 'cuda', sharedReads: 'never', ...options },
    { cudaLibrary: library },
  );

onEmulator('an emulated GPU', () => {
  afterEach(() => {
    testing.emulatorFailAfter(library, -1);
    testing.emulatorMemory(library, 4 * GIB);
  });

  test('too little memory is out_of_memory, with what is needed and what there is', async () => {
    testing.emulatorMemory(library, 1 << 20);
    await expect(load()).rejects.toMatchObject({
      code: 'out_of_memory',
      message: expect.stringMatching(/\d GiB more are needed, and \d.* of \d.* are free/) as string,
    });
    testing.emulatorMemory(library, 4 * GIB);
    await expect(load({ kv: { bytes: 8 * GIB } })).rejects.toMatchObject({ code: 'out_of_memory' });
  });

  test('the KV pool takes what is left, and all memory is given back', async () => {
    const before = testing.emulatorCounts(library).usedBytes;
    testing.emulatorMemory(library, before + GIB);
    const engine = await load();
    expect(engine.stats().kvBytes).toBeGreaterThan(0);
    expect(engine.stats().kvBytes).toBeLessThan(GIB);
    await engine.completeTokens([5, 6, 7], { maxTokens: 2 }).result;
    await engine.dispose();
    expect(testing.emulatorCounts(library).usedBytes).toBe(before);
  });

  // While the model is loaded, in the first step, and later.
  test.each([1, 30, 100, 400])(
    'a device that fails after %d calls fails its engine with device_failed',
    async (calls) => {
      await using cpu = await Engine.load(model.path, { device: 'cpu' });
      testing.emulatorFailAfter(library, calls);
      const run = async () => {
        await using engine = await load();
        await engine.completeTokens([5, 6, 7], { maxTokens: 100, ignoreEos: true }).result;
      };
      await expect(run()).rejects.toMatchObject({ code: 'device_failed' });
      expect((await cpu.completeTokens([5, 6, 7], { maxTokens: 2 }).result).tokens.length).toBe(2);
      testing.emulatorFailAfter(library, -1);
      await using mended = await load();
      await mended.completeTokens([5, 6, 7], { maxTokens: 2 }).result;
    },
  );

  test('requests after the failure are told so, too', async () => {
    await using engine = await load();
    testing.emulatorFailAfter(library, 1);
    for (let i = 0; i < 2; i++) {
      await expect(engine.completeTokens([5, 6], { maxTokens: 2 }).result).rejects.toMatchObject({
        code: 'device_failed',
        message: expect.stringContaining('the engine has failed') as string,
      });
    }
  });

  test('a device that fails while a prompt finds a part of a block in the cache ends that prompt', async () => {
    await using engine = await load();
    const ids = Array.from({ length: 40 }, (_, i) => 3 + i);
    await engine.completeTokens(ids, { maxTokens: 1, ignoreEos: true }).result;
    testing.emulatorFailAfter(library, 1); // the copy of the block's tokens
    const fork = engine.completeTokens([...ids.slice(0, 37), 5, 6], { maxTokens: 2 }).result;
    await expect(fork).rejects.toMatchObject({ code: 'device_failed' });
  });

  test('"auto" goes to the CPU with what a GPU cannot keep, and says why', async () => {
    testing.emulatorMemory(library, 1 << 20);
    await using small = await load({ device: 'auto' });
    expect(small.description.device).toMatchObject({
      kind: 'cpu',
      note: expect.stringMatching(/^not on the GPU: the GPU has too little memory/) as string,
    });
    testing.emulatorMemory(library, 4 * GIB);
    await using exact = await load({ device: 'auto', kv: { format: 'f32' } });
    expect(exact.description.device.kind).toBe('cpu');
  });

  test('what it cannot keep is refused when the model is loaded', async () => {
    await expect(load({ kv: { format: 'f32' } })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('`kv.format` on a GPU') as string,
    });
    const odd = await writeTinyModel({ shape: { width: 40, heads: 4, kvHeads: 2 } });
    await expect(
      Engine.loadWith(odd.path, { device: 'cuda' }, { cudaLibrary: library }),
    ).rejects.toMatchObject({ code: 'unsupported_architecture' });
  });

  test('"auto" takes a GPU that is there, and costs are measured on it', async () => {
    await using engine = await load({ device: 'auto', sharedReads: 'auto' });
    expect(engine.description.device.kind).toBe('cuda');
    expect((await engine.completeTokens([5, 6], { maxTokens: 2 }).result).tokens.length).toBe(2);
  });

  test('an onProgress that throws rejects the load with what it threw', async () => {
    const error = new Error('enough');
    const onProgress = () => {
      throw error;
    };
    await expect(load({ onProgress })).rejects.toBe(error);
  });

  test('a GPU that is not there is device_unavailable', async () => {
    await expect(load({ device: 'cuda:7' })).rejects.toMatchObject({
      code: 'device_unavailable',
      message: expect.stringContaining('this machine has 1') as string,
    });
  });
});

test('a library that is not ours, or not there, is a reason in one line', () => {
  for (const path of ['/nowhere/lib.so', __filename]) {
    const { devices, reason } = native().cuda(path);
    expect(devices).toEqual([]);
    expect(reason).toMatch(/^[^\n]+$/);
  }
});

const { devices, reason } = native().cuda('');
const withoutGpu = devices.length === 0 ? test : test.skip;
withoutGpu('without a GPU "cuda" says why, and "auto" runs on the CPU', async () => {
  await expect(Engine.load(model.path, { device: 'cuda' })).rejects.toMatchObject({
    code: 'device_unavailable',
    message: `there is no CUDA device: ${reason}`,
  });
  await using engine = await Engine.load(model.path);
  expect(engine.description.device.kind).toBe('cpu');
});

test.each(['gpu', 'cuda:', 'cuda:x', 3])('device %p is invalid_argument', async (device) => {
  await expect(Engine.load(model.path, { device: device as 'cpu' })).rejects.toMatchObject({
    code: 'invalid_argument',
  });
});
