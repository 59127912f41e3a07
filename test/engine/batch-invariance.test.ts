/** A sequence's logits are the same bits whatever else the engine does: docs/decisions/0001. */
import fc from 'fast-check';

import { Engine } from '../../lib/index.js';
import type { LoadOptions } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyModel } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import { paths } from '../testing.js';

const prompt = fc.tuple(fc.integer({ min: 1, max: 150 }), fc.nat()).map(([length, seed]) => {
  const random = new Random(seed);
  return Array.from({ length }, () => 3 + random.below(300));
});

/** Tokens and log-probabilities of a greedy continuation, and the logits at its end. */
interface Outcome {
  tokens: number[];
  logprobs: number[];
  logits: Float32Array;
}

async function run(engine: Engine, text: number[], maxTokens = 6): Promise<Outcome> {
  const tokens: number[] = [];
  const logprobs: number[] = [];
  const generation = engine.completeTokens(text, { maxTokens });
  for await (const token of generation.tokens()) {
    tokens.push(token.id);
    logprobs.push(token.logprob);
  }
  const [logits] = await engine.logits([...text, ...tokens]);
  return { tokens, logprobs, logits: logits! };
}

async function cold(engine: Engine, text: number[]): Promise<Outcome> {
  engine.clearCache();
  return run(engine, text);
}

const formats = paths.flatMap((path) => [
  [path, 'F32', 'f32'],
  [path, 'Q8_0', 'f32'],
  [path, 'BF16', 'bf16'],
]) as [LoadOptions['instructions'], string, 'f32' | 'bf16'][];

describe.each(formats)('on %s with %s weights and %s KV', (instructions, type, format) => {
  let model: TinyModel;
  const engines = new Map<string, Engine>();
  const load = async (name: string, options: LoadOptions) =>
    engines.set(
      name,
      await Engine.load(model.path, {
        instructions,
        kv: { format },
        checkInvariants: true,
        ...options,
      }),
    );

  beforeAll(async () => {
    model = await writeTinyModel({ type });
    await load('plain', { threads: 1 });
    await load('two threads', { threads: 2 });
    for (const stepTokens of [1, 7, 64])
      await load(`chunks of ${stepTokens}`, { threads: 2, stepTokens });
  });
  afterAll(() => Promise.all([...engines.values()].map((engine) => engine.dispose())));

  test('threads and prefill chunks change nothing', async () => {
    await fc.assert(
      fc.asyncProperty(prompt, async (text) => {
        const expected = await cold(engines.get('plain')!, text);
        for (const engine of engines.values()) expect(await cold(engine, text)).toEqual(expected);
      }),
      { numRuns: 6 },
    );
  });

  test('a batch of 16, shared prefixes and all, changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(prompt, { minLength: 4, maxLength: 4 }), async (base) => {
        // Prompts that are prefixes of each other, equal, or branch anywhere.
        const texts = base.flatMap((text) => [
          text,
          text,
          text.slice(0, 1 + (text.length >> 1)),
          [...text.slice(0, 40), ...base[0]!],
        ]);
        const plain = engines.get('plain')!;
        const expected: Outcome[] = [];
        for (const text of texts) expected.push(await cold(plain, text));
        for (const name of ['two threads', 'chunks of 7', 'chunks of 64']) {
          const engine = engines.get(name)!;
          engine.clearCache();
          expect(await Promise.all(texts.map((text) => run(engine, text)))).toEqual(expected);
        }
      }),
      { numRuns: 3 },
    );
  });

  test('a prefix found in the cache gives the bits of one computed afresh', async () => {
    await fc.assert(
      fc.asyncProperty(prompt, fc.nat(), async (text, seed) => {
        const engine = engines.get('two threads')!;
        const expected = await cold(engine, text);
        const cut = 1 + (seed % text.length);
        engine.clearCache();
        await run(engine, [...text.slice(0, cut), 5, 6, 7]); // leaves a context that branches off at `cut`
        expect(await run(engine, text)).toEqual(expected);
        expect(await run(engine, text)).toEqual(expected); // now all of it is there
      }),
      { numRuns: 10 },
    );
  });
});
