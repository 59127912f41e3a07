/** What an engine is asked, each time as one hash over all that it answers: ids, log-probabilities and logits, to the last bit. */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';

import type { Engine, GenerateOptions } from '#lib/index.js';
import { Random } from '../../random.js';

export type Question = (engine: Engine) => Promise<string>;

export function textOf(seed: number, length: number): number[] {
  const random = new Random(seed);
  return Array.from({ length }, () => 3 + random.below(300));
}

/** A double holds every float and every id exactly. */
function addNumbers(hash: Hash, values: ArrayLike<number>): void {
  hash.update(new Uint8Array(Float64Array.from(values).buffer));
}

async function addGenerated(
  hash: Hash,
  engine: Engine,
  ids: number[],
  options: GenerateOptions,
): Promise<void> {
  const how = { ignoreEos: true, topLogprobs: 4, ...options };
  const { tokens, logprobs = [] } = await engine.completeTokens(ids, how).result;
  addNumbers(hash, tokens);
  for (const { logprob, top = [] } of logprobs)
    addNumbers(hash, [logprob, ...top.flatMap((other) => [other.id, other.logprob])]);
  const [logits] = await engine.logits([...ids, ...tokens]);
  addNumbers(hash, logits!);
}

/** All at once; the hash has them in their order. */
async function hashOfAll(
  engine: Engine,
  requests: readonly { ids: number[]; options: GenerateOptions }[],
): Promise<string> {
  const hashes = await Promise.all(
    requests.map(async ({ ids, options }) => {
      const hash = createHash('sha256');
      await addGenerated(hash, engine, ids, options);
      return hash.digest('hex');
    }),
  );
  return createHash('sha256').update(hashes.join()).digest('hex');
}

/** One prompt after the other: every row's logits, and what comes after them. */
export const alone =
  (lengths = [1, 33, 70]): Question =>
  async (engine) => {
    const hash = createHash('sha256');
    for (const [i, length] of lengths.entries()) {
      const ids = textOf(40 + i, length);
      for (const row of await engine.logits(ids, { rows: ids.map((_, at) => at) }))
        addNumbers(hash, row);
      await addGenerated(hash, engine, ids, { maxTokens: 4 });
    }
    return hash.digest('hex');
  };

/** Log-probabilities of a text. */
export const scored =
  (length: number): Question =>
  async (engine) => {
    const hash = createHash('sha256');
    addNumbers(hash, (await engine.score(textOf(50, length))).logprobs);
    return hash.digest('hex');
  };

const DRAWS: GenerateOptions[] = [
  { temperature: 1 },
  { temperature: 0.8, topK: 20 },
  { temperature: 1.2, topP: 0.9, repetitionPenalty: 1.3 },
  { temperature: 0.7, minP: 0.05, frequencyPenalty: 0.4, presencePenalty: 0.2 },
  { temperature: 1, typicalP: 0.8, penaltyWindow: 8, repetitionPenalty: 1.1 },
  { temperature: 1.5, topK: 50, topP: 0.8, logitBias: { 7: 3, 9: -Infinity, 40: -2 } },
  { repetitionPenalty: 1.2, frequencyPenalty: 0.5 },
];

/** Several ways of drawing at once: truncations, penalties, biases. */
export const drawn: Question = (engine) =>
  hashOfAll(
    engine,
    DRAWS.map((options, i) => ({
      ids: textOf(60 + i, 20 + 9 * i),
      options: { maxTokens: 12, seed: 11 + i, ...options },
    })),
  );

/** Users of one text at once, one of them of its first part only, one of another text. */
export const together =
  (shared: number, tails: number[], maxTokens = 5): Question =>
  (engine) => {
    const common = textOf(70, shared);
    const prompts = tails.map((tail, i) => [...common, ...textOf(71 + i, tail)]);
    prompts.push(common.slice(0, shared >> 1), textOf(80, 45));
    const requests = prompts.map((ids, i) => ({
      ids,
      options: { maxTokens, ...(i % 2 === 0 ? {} : { temperature: 0.9, seed: i }) },
    }));
    return hashOfAll(engine, requests);
  };

/** Texts that are short at first and grow beyond a little memory: some are preempted, and computed again. */
export const growing: Question = (engine) =>
  hashOfAll(
    engine,
    [9, 30, 33, 50].map((length, i) => ({
      ids: textOf(90 + i, length),
      options: { maxTokens: 90, temperature: 0.8, seed: 3 + i },
    })),
  );

/** A batch of texts with beginnings in common, two draws of each. */
export const batch: Question = async (engine) => {
  const texts = ['the ', 'the and ', 'a ', 'the and ing '].map((text) => text.repeat(30));
  const options = { maxTokens: 4, ignoreEos: true, temperature: 0.9, seed: 5, topLogprobs: 2 };
  const prompts = [...texts, ...texts.map((text) => `${text}on`)];
  const hash = createHash('sha256');
  const results = engine.createBatch(prompts, { ...options, n: 2, order: 'input' });
  for await (const result of results) {
    if (result.error) throw result.error;
    addNumbers(hash, result.tokens);
    for (const { logprob, top = [] } of result.logprobs ?? [])
      addNumbers(hash, [logprob, ...top.flatMap((other) => [other.id, other.logprob])]);
  }
  return hash.digest('hex');
};
