/** The grid of prefixes and sequences: steps of three kinds in turn, and the whole job. */
import { totalmem } from 'node:os';
import { join } from 'node:path';

import { summarize } from '#lib/bench/statistics.js';
import type { Summary } from '#lib/bench/statistics.js';
import { randomTokens } from '#lib/bench/workload.js';
import { Engine } from '#lib/engine.js';
import { CachalotError } from '#lib/errors.js';
import { native } from '#lib/native.js';
import type { MachinePeaks } from '#lib/native.js';

import type { StepTurns, TimedStep, Turn } from '../../test/bench/step-turns-binding.js';
import type { TestingBinding } from '../../test/testing.js';

export const OWN = 16; // tokens of each sequence's own
export const GENERATED = 32;
const STEP_ROWS = 512;
const KV_BYTES = Math.min(8e9, totalmem() / 2);
const TURNS: readonly Turn[] = ['chosen', 'apart', 'no attention'];
const PREFIX_OF_CHECK = 1000;

/** The addon of the tests, whose engines take turns; a path that is no import, so that it is found from build/, too. */
const testing = () =>
  require(join(process.cwd(), 'build', 'test', 'cachalot_testing.node')) as TestingBinding;

/** Milliseconds of steps in which all sequences decode. */
export interface Steps {
  chosen: Summary;
  apart: Summary;
  bound: Summary;
  /** Medians of the pairs' own ratios, which a noisy neighbour hits alike: apart / chosen, and chosen / bound. */
  gain: number;
  overBound: number;
  hostUs: number;
  grouped: boolean;
}

export interface Cell {
  prefix: number;
  sequences: number;
  /** Missing: does not fit into memory. */
  steps?: Steps;
  /** From the prefix that has not been evaluated to the last token. */
  prefixMs?: number;
  restMs?: number;
}

export interface Grid {
  prefixes: readonly number[];
  sequences: readonly number[];
}

export const machinePeaks = (): Promise<MachinePeaks> => native().measurePeaks('auto', 0, '');

export async function measureGrid(
  model: string,
  context: number,
  { prefixes, sequences }: Grid,
  pairs: number,
  onProgress: (what: string) => void,
): Promise<Cell[]> {
  const cells: Cell[] = prefixes.flatMap((prefix) =>
    sequences.map((count) => ({ prefix, sequences: count })),
  );
  const options = { contextLength: context, stepTokens: STEP_ROWS, kv: { bytes: KV_BYTES } };
  const turns = new (testing().StepTurns)();
  for (const how of ['steps', 'job'] as const) {
    await using engine =
      how === 'steps'
        ? await Engine.loadWith(model, options, builtDevice(), turns)
        : await Engine.load(model, options);
    if (how === 'steps') await check(engine, turns);
    for (const prefix of prefixes) {
      engine.clearCache();
      const ids = randomTokens(prefix, engine.description.vocabulary, prefix);
      const start = performance.now();
      const kept = await engine.cache.add(ids, { pin: true });
      const prefixMs = performance.now() - start;
      for (const cell of cells.filter((each) => each.prefix === prefix)) {
        onProgress(`${model}: prefix ${prefix}, ${cell.sequences} sequences, ${how}`);
        try {
          if (how === 'steps') cell.steps = await steps(engine, turns, ids, cell.sequences, pairs);
          else Object.assign(cell, { prefixMs, restMs: await job(engine, ids, cell.sequences) });
        } catch (error) {
          // What has no room is left out, and the table says so.
          if (!(error instanceof CachalotError) || error.code !== 'kv_budget_exceeded') throw error;
        }
      }
      engine.cache.release(kept);
    }
  }
  return cells;
}

async function generateAll(
  engine: Engine,
  ids: readonly number[],
  sequences: number,
  maxTokens: number,
) {
  const { vocabulary } = engine.description;
  const prompts = Array.from({ length: sequences }, (_, i) => ({
    tokens: [...ids, ...randomTokens(OWN, vocabulary, 1000 * sequences + i)],
  }));
  const results = await engine.createBatch(prompts, { maxTokens, ignoreEos: true }).results();
  return results.map((result) => {
    if (result.error) throw result.error;
    return result;
  });
}

/** The device that `Engine.load` would take, named: the addon of the tests has no library beside it. */
function builtDevice() {
  const isOnGpu = native().cuda('').devices.length > 0;
  const cudaLibrary = join(process.cwd(), 'build', 'Release', 'libcachalot_cuda.so');
  return isOnGpu ? { device: 'cuda', cudaLibrary } : { device: 'cpu' };
}

/** Who reads what together must not change a bit. */
async function check(engine: Engine, turns: StepTurns): Promise<void> {
  const ids = randomTokens(PREFIX_OF_CHECK, engine.description.vocabulary, 1);
  const kept = await engine.cache.add(ids, { pin: true });
  const answers: string[] = [];
  for (const turn of TURNS.slice(0, 2)) {
    turns.take([turn]);
    const results = await generateAll(engine, ids, 8, 8);
    answers.push(JSON.stringify(results.map(({ tokens, logprob }) => [tokens, logprob])));
  }
  engine.cache.release(kept);
  if (answers[0] !== answers[1])
    throw new Error('steps apart give other tokens than steps as chosen');
}

/** As many triples of steps as asked for, while all sequences decode. */
async function steps(
  engine: Engine,
  turns: StepTurns,
  ids: readonly number[],
  sequences: number,
  pairs: number,
): Promise<Steps> {
  const before = { step: engine.explain().at(-1)?.step ?? -1, ...engine.stats() };
  turns.take(TURNS);
  turns.steps();
  // The first sequences decode already while the last are being prefilled.
  const joining = Math.ceil((sequences * OWN) / (STEP_ROWS - sequences)) + 2;
  await generateAll(engine, ids, sequences, 3 * pairs + 3 + joining);
  const all = turns.steps().filter(({ rows }) => rows === sequences);
  const hostUs = hostTime(engine, sequences, before);
  const triples: TimedStep[][] = [];
  for (let i = 0; i + 2 < all.length; i++) {
    const triple = all.slice(i, i + 3);
    if (triple[0]!.turn === 'chosen') triples.push(triple);
  }
  const ms = (step: TimedStep) => step.ms + hostUs / 1000;
  const times = (at: number) => summarize(triples.map((triple) => ms(triple[at]!)));
  const ratio = (a: number, b: number) =>
    summarize(triples.map((triple) => ms(triple[a]!) / ms(triple[b]!))).median;
  return {
    chosen: times(0),
    apart: times(1),
    bound: times(2),
    gain: ratio(1, 0),
    overBound: ratio(0, 2),
    hostUs,
    grouped: triples.some(([chosen]) => chosen!.isGrouped),
  };
}

/** Microseconds of scheduling and planning in a step in which all decode; of a lone sequence, which shares nothing, in any step. */
function hostTime(
  engine: Engine,
  sequences: number,
  before: { step: number; steps: number; hostMs: number },
): number {
  const shared = engine
    .explain()
    .filter(
      ({ step, decoding, rows }) =>
        step > before.step && decoding === sequences && rows === sequences,
    );
  if (shared.length > 0) return summarize(shared.map(({ hostUs }) => hostUs)).median;
  const { steps, hostMs } = engine.stats();
  return (1000 * (hostMs - before.hostMs)) / (steps - before.steps);
}

/** Milliseconds for all sequences, with the prefix in the cache. */
async function job(engine: Engine, ids: readonly number[], sequences: number): Promise<number> {
  const start = performance.now();
  await generateAll(engine, ids, sequences, GENERATED);
  return performance.now() - start;
}
