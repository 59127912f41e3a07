/** The grid of prefixes and sequences: steps of three kinds in turn, and the whole job. */
import { totalmem } from 'node:os';

import { summarize } from '#lib/bench/statistics.js';
import type { Summary } from '#lib/bench/statistics.js';
import { randomTokens } from '#lib/bench/workload.js';
import { Engine } from '#lib/engine.js';
import { CachalotError } from '#lib/errors.js';
import { native } from '#lib/native.js';
import type { MachinePeaks, StepExplanation } from '#lib/native.js';

export const OWN = 16; // tokens of each sequence's own
export const GENERATED = 32;
const STEP_ROWS = 512;
const KV_BYTES = Math.min(8e9, totalmem() / 2);

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
  const inTurns = { takeTurns: true };
  for (const how of ['steps', 'job'] as const) {
    await using engine = await Engine.loadWith(model, options, how === 'steps' ? inTurns : {});
    for (const prefix of prefixes) {
      engine.clearCache();
      const ids = randomTokens(prefix, engine.description.vocabulary, prefix);
      const start = performance.now();
      const kept = await engine.cache.add(ids, { pin: true });
      const prefixMs = performance.now() - start;
      for (const cell of cells.filter((each) => each.prefix === prefix)) {
        onProgress(`${model}: prefix ${prefix}, ${cell.sequences} sequences, ${how}`);
        try {
          if (how === 'steps') cell.steps = await steps(engine, ids, cell.sequences, pairs);
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

function generateAll(engine: Engine, ids: readonly number[], sequences: number, maxTokens: number) {
  const { vocabulary } = engine.description;
  const prompts = Array.from({ length: sequences }, (_, i) => ({
    tokens: [...ids, ...randomTokens(OWN, vocabulary, 1000 * sequences + i)],
  }));
  return engine.createBatch(prompts, { maxTokens, ignoreEos: true }).results();
}

/** As many triples of steps as asked for, while all sequences decode. */
async function steps(
  engine: Engine,
  ids: readonly number[],
  sequences: number,
  pairs: number,
): Promise<Steps> {
  const before = engine.explain().at(-1)?.step ?? -1;
  // The first sequences decode already while the last are being prefilled.
  const joining = Math.ceil((sequences * OWN) / (STEP_ROWS - sequences)) + 2;
  const results = await generateAll(engine, ids, sequences, 3 * pairs + 3 + joining);
  for (const { error } of results) if (error) throw error;
  const all = engine
    .explain()
    .filter(
      ({ step, decoding, rows }) => step > before && decoding === sequences && rows === sequences,
    );
  const triples: StepExplanation[][] = [];
  for (let i = 0; i + 2 < all.length; i++) {
    const triple = all.slice(i, i + 3);
    if (triple[0]!.mode === 'chosen') triples.push(triple);
  }
  const times = (at: number) => summarize(triples.map((triple) => triple[at]!.stepMs));
  const ratio = (a: number, b: number) =>
    summarize(triples.map((triple) => triple[a]!.stepMs / triple[b]!.stepMs)).median;
  return {
    chosen: times(0),
    apart: times(1),
    bound: times(2),
    gain: ratio(1, 0),
    overBound: ratio(0, 2),
    hostUs: summarize(triples.map(([chosen]) => chosen!.hostUs)).median,
    grouped: triples.some(([chosen]) => chosen!.groups.some(({ grouped }) => grouped)),
  };
}

/** Milliseconds for all sequences, with the prefix in the cache. */
async function job(engine: Engine, ids: readonly number[], sequences: number): Promise<number> {
  const start = performance.now();
  const results = await generateAll(engine, ids, sequences, GENERATED);
  for (const { error } of results) if (error) throw error;
  return performance.now() - start;
}
