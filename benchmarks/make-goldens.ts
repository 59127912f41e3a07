/**
 * npm run make:goldens: small models of random weights and what they must give, by the float64 forward pass of the tests. Both are
 * kept in test/golden/, so that a change of the engine, of the reference or of the random numbers shows. Made once, and again
 * only when a test of a new kind of model needs it.
 */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { writeTinyModel } from '../test/fixtures/tiny-model.js';
import type { TinyModel, TinyOptions } from '../test/fixtures/tiny-model.js';
import { Random } from '../test/random.js';
import { forward } from '../test/reference/forward.js';

const folder = join(process.cwd(), 'test', 'golden');
const SHAPE = { width: 32, ffn: 64, heads: 2, kvHeads: 1, layers: 2, context: 128 }; // heads of 16, which a GPU takes
const GREEDY = 12;

const MODELS: Record<string, TinyOptions> = {
  'tiny-llama': { tied: true, shape: SHAPE },
  'tiny-mistral': { architecture: 'mistral', window: 20, tied: true, type: 'F16', shape: SHAPE },
  'tiny-qwen3': { architecture: 'qwen3', tied: true, shape: { ...SHAPE, headDim: 32 } },
};

function argmax(row: Float64Array): number {
  return row.reduce((best, value, i) => (value > row[best]! ? i : best), 0);
}

function caseOf(model: TinyModel, ids: number[]) {
  const greedy: number[] = [];
  while (greedy.length < GREEDY) greedy.push(argmax(forward(model, [...ids, ...greedy]).at(-1)!));
  const logits = forward(model, ids).at(-1)!;
  return { ids, greedy, logits: Array.from(logits, (value) => Number(value.toPrecision(9))) };
}

async function main(): Promise<void> {
  for (const [name, options] of Object.entries(MODELS)) {
    const model = await writeTinyModel({ ...options, seed: 17 });
    const random = new Random(23);
    const prompt = (length: number) => Array.from({ length }, () => 3 + random.below(300));
    const cases = [prompt(1), prompt(33), prompt(70)].map((ids) => caseOf(model, ids));
    copyFileSync(model.path, join(folder, `${name}.gguf`));
    writeFileSync(join(folder, `${name}.json`), `${JSON.stringify({ cases })}\n`);
    console.log(`${name}: ${cases.length} cases`);
  }
}

main().catch((error: unknown) => {
  console.error(`error: ${(error as Error).message}`);
  process.exitCode = 1;
});
