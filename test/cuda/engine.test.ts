/** The whole CUDA path - allocation, tables, launches, graphs, sampling - generates text without a GPU: docs/decisions/0013. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Engine } from '../../lib/index.js';
import type { LoadOptions } from '../../lib/index.js';
import { writeTestModel } from '../../lib/models/test-model.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyModel } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import { emulatedLibrary, testing } from '../testing.js';

const onEmulator = emulatedLibrary === undefined ? describe.skip : describe;
const library = emulatedLibrary ?? '';

function load(model: TinyModel, options: LoadOptions = {}): Promise<Engine> {
  const given: LoadOptions = { device: 'cuda', sharedReads: 'always', ...options };
  return Engine.loadWith(model.path, given, { cudaLibrary: library });
}

const text = (seed: number, length: number) => {
  const random = new Random(seed);
  return Array.from({ length }, () => 3 + random.below(300));
};

async function outcome(engine: Engine, ids: number[]) {
  const { tokens } = await engine.completeTokens(ids, { maxTokens: 4, ignoreEos: true }).result;
  const [logits] = await engine.logits([...ids, ...tokens]);
  return { tokens, logits: logits! };
}

onEmulator('an engine on an emulated GPU', () => {
  test.each(['F32', 'F16', 'BF16', 'Q8_0', 'Q4_K', 'Q6_K', 'IQ2_XXS', 'Q5_1', 'Q3_K'])(
    '%s: logits are those of the CPU up to rounding',
    async (type) => {
      const model = await writeTinyModel({ type, shape: { width: 256, ffn: 256, heads: 4 } });
      await using gpu = await load(model);
      await using cpu = await Engine.load(model.path, { device: 'cpu' });
      const ids = text(1, 40);
      const [[a], [b]] = await Promise.all([gpu.logits(ids), cpu.logits(ids)]);
      const largest = Math.max(...Array.from(b!, Math.abs));
      b!.forEach((value, i) => expect(Math.abs(a![i]! - value)).toBeLessThan(0.03 * largest));
      expect(gpu.description).toMatchObject({ weights: 'on the device', kvFormat: 'bf16' });
      expect(gpu.description.device).toMatchObject({
        kind: 'cuda',
        name: expect.stringMatching(/^emulated GPU/) as string,
        instructions: expect.stringMatching(/^sm_\d+$/) as string,
      });
    },
  );

  describe('batch invariance', () => {
    let model: TinyModel;
    beforeAll(async () => {
      model = await writeTinyModel({
        type: 'Q8_0',
        shape: { width: 128, heads: 4, kvHeads: 2, context: 1024 },
      });
    });

    test('a row has the same bits alone, in a batch, in chunks, from the cache and read together', async () => {
      const shared = text(2, 270); // past a span
      const prompts = [[...shared, ...text(3, 9)], [...shared, ...text(4, 20)], text(5, 40)];
      await using alone = await load(model, { prefixCache: false, sharedReads: 'never' });
      const expected = [];
      for (const ids of prompts) expected.push(await outcome(alone, ids));
      for (const options of [
        { checkInvariants: true, stepTokens: 97 },
        { sharedReads: 'never' },
      ] as LoadOptions[]) {
        await using engine = await load(model, options);
        expect(await Promise.all(prompts.map((ids) => outcome(engine, ids)))).toEqual(expected);
        expect(await outcome(engine, prompts[0]!)).toEqual(expected[0]); // from the cache
      }
    });

    test('emulated threads and copies in any order give the same bits', async () => {
      await using engine = await load(model, { prefixCache: false });
      const ids = text(6, 50);
      const expected = await outcome(engine, ids);
      try {
        for (const [order, copies, seed, threads] of [
          [1, 0, 1, 1],
          [2, 2, 1, 1],
          [2, 1, 2, 2],
        ]) {
          testing.emulatorOrder(library, order!, copies!, seed!, threads!);
          expect(await outcome(engine, ids)).toEqual(expected);
        }
      } finally {
        testing.emulatorOrder(library, 0, 0, 1, 1);
      }
    });

    test('decoding replays graphs', async () => {
      await using engine = await load(model);
      const before = testing.emulatorCounts(library).graphLaunches;
      const plain = { maxTokens: 12, ignoreEos: true, draft: false } as const;
      await engine.completeTokens(text(7, 10), plain).result;
      // The first step of a shape runs plainly, the second is captured, and then all are replayed.
      expect(testing.emulatorCounts(library).graphLaunches - before).toBeGreaterThanOrEqual(9);
    });

    test('a seed draws the same tokens again, on the device', async () => {
      await using engine = await load(model);
      const options = { maxTokens: 5, temperature: 1, topP: 0.9, seed: 4, ignoreEos: true };
      const draw = async () => (await engine.completeTokens(text(8, 20), options).result).tokens;
      expect(await draw()).toEqual(await draw());
    });
  });

  test("doctor's self-test runs on it, and agrees with the portable path", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cachalot-self-test-'));
    try {
      const path = join(folder, 'test.gguf');
      await writeTestModel(path);
      const [gpu, cpu] = ['cuda', 'portable'].map((where) => {
        const script = join(__dirname, '..', '..', 'dist', 'cli', 'self-test.js');
        const args = [script, path, where, library];
        return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as number[];
      });
      gpu!.forEach((value, i) => expect(Math.abs(value - cpu![i]!)).toBeLessThan(3e-2));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('a window, Qwen2 biases and Qwen3 head norms run on it, too', async () => {
    for (const [architecture, window] of [
      ['mistral', 40],
      ['qwen2', 0],
      ['qwen3', 0],
    ] as const) {
      const model = await writeTinyModel({
        type: 'F32',
        architecture,
        window,
        shape: { width: 96, heads: 6, kvHeads: 2 },
      });
      await using gpu = await load(model);
      await using cpu = await Engine.load(model.path, { device: 'cpu' });
      const ids = text(9, 90);
      const [[a], [b]] = await Promise.all([gpu.logits(ids), cpu.logits(ids)]);
      const largest = Math.max(...Array.from(b!, Math.abs));
      b!.forEach((value, i) => expect(Math.abs(a![i]! - value)).toBeLessThan(0.03 * largest));
    }
  });
});
