/** Whole models on a GPU beside the CPU: logits, text, and the same bits whatever else is in a step. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Engine } from '#lib/engine.js';
import type { LoadOptions } from '#lib/options/load-options.js';

import { Random } from '../../test/random.js';
import { writeSynthetic } from '../models/synthetic.js';
import type { CheckResult } from './kernel-suite.js';

const text = (seed: number, length: number) => {
  const random = new Random(seed);
  return Array.from({ length }, () => 3 + random.below(30_000));
};

const largest = (values: Float32Array) =>
  values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

interface Outcome {
  tokens: number[];
  logits: Float32Array;
}

async function outcome(engine: Engine, ids: number[]): Promise<Outcome> {
  const { tokens } = await engine.completeTokens(ids, { maxTokens: 8, ignoreEos: true }).result;
  const [logits] = await engine.logits([...ids, ...tokens]);
  return { tokens, logits: logits! };
}

const equal = (a: Outcome, b: Outcome) =>
  a.tokens.join() === b.tokens.join() &&
  a.logits.every((value, i) => Object.is(value, b.logits[i]));

/** One model: how far it is from the CPU, and from itself in company. */
async function* modelChecks(
  model: string,
  name: string,
  library: string,
): AsyncGenerator<CheckResult> {
  const load = (options: LoadOptions) =>
    Engine.loadWith(
      model,
      { contextLength: 2048, kv: { bytes: 2 ** 30 }, ...options },
      { cudaLibrary: library },
    );
  const cpu = await load({ device: 'cpu' });
  const gpu = await load({ device: 'cuda', prefixCache: false, sharedReads: 'never' });
  const shared = text(2, 600);
  const prompts = [[...shared, ...text(3, 9)], [...shared, ...text(4, 70)], text(5, 33), shared];
  const [[ours], [theirs]] = await Promise.all([gpu.logits(prompts[2]!), cpu.logits(prompts[2]!)]);
  const error = ours!.reduce((most, v, i) => Math.max(most, Math.abs(v - theirs![i]!)), 0);
  const share = error / largest(theirs!);
  yield {
    name: `${name}: logits`,
    ok: share < 0.03,
    detail: `differ from the CPU's by ${(100 * share).toFixed(2)} % of the largest (at most 3 %)`,
  };
  await cpu.dispose();
  const alone: Outcome[] = [];
  for (const ids of prompts) alone.push(await outcome(gpu, ids));
  await gpu.dispose();
  for (const [how, options] of Object.entries({
    'in a batch, prefixes read together': { sharedReads: 'always' },
    'in a batch, as chosen': {},
    'in chunks of 100': { stepTokens: 100 },
  }) as [string, LoadOptions][]) {
    const engine = await load({ device: 'cuda', checkInvariants: true, ...options });
    const batch = await Promise.all(prompts.map((ids) => outcome(engine, ids)));
    const again = await outcome(engine, prompts[0]!); // from the cache
    await engine.dispose();
    const ok = batch.every((result, i) => equal(result, alone[i]!)) && equal(again, alone[0]!);
    yield {
      name: `${name}: ${how}`,
      ok,
      detail: ok ? 'bit for bit as alone' : 'other bits than alone',
    };
  }
}

export async function* engineSuite(library: string, quick: boolean): AsyncGenerator<CheckResult> {
  const folder = mkdtempSync(join(tmpdir(), 'cachalot-gpu-'));
  try {
    for (const type of quick ? ['Q8_0'] : ['BF16', 'F16', 'Q8_0', 'Q4_0']) {
      const path = join(folder, `${type}.gguf`);
      await writeSynthetic(path, { shape: 'smollm2-135m', type });
      yield* modelChecks(path, `smollm2-135m shape, ${type}`, library);
    }
    for (const type of quick ? [] : ['Q4_K', 'Q6_K', 'IQ2_XXS']) {
      const path = join(folder, `${type}.gguf`);
      await writeSynthetic(path, { shape: 'llama-3.2-1b', type });
      yield* modelChecks(path, `llama-3.2-1b shape, ${type}`, library);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
