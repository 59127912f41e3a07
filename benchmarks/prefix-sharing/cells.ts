/** What is measured of a prefix and a number of sequences, and the walk over all of them in one engine. */
import { totalmem } from 'node:os';

import type { Summary } from '#lib/bench/statistics.js';
import { randomTokens } from '#lib/bench/workload.js';
import type { Engine } from '#lib/engine.js';
import { CachalotError } from '#lib/errors.js';

import type { Scenario } from '../harness/scenario.js';

export const OWN = 16; // tokens of each sequence's own
export const GENERATED = 32;
export const STEP_ROWS = 512;
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

export const loadOptions = (contextLength: number) => ({
  contextLength,
  stepTokens: STEP_ROWS,
  kv: { bytes: KV_BYTES },
  draft: false as const, // every step is one token of each
});

/** One measurement of every cell, prefix by prefix, in one engine. */
export abstract class CellsScenario implements Scenario<void> {
  #engine: Engine | undefined;

  constructor(
    readonly name: string,
    readonly model: string,
    readonly context: number,
    readonly cells: readonly Cell[],
  ) {}

  protected abstract load(): Promise<Engine>;
  /** Writes what it has found into the cell; `prefixMs` is what the prefix took. */
  protected abstract measureCell(
    cell: Cell,
    ids: readonly number[],
    prefixMs: number,
  ): Promise<void>;

  protected get engine(): Engine {
    return this.#engine!;
  }

  async open(): Promise<void> {
    this.#engine = await this.load();
  }

  async measure(): Promise<void> {
    const { engine, cells } = this;
    for (const prefix of new Set(cells.map((cell) => cell.prefix))) {
      engine.clearCache();
      const ids = randomTokens(prefix, engine.description.vocabulary, prefix);
      const start = performance.now();
      const kept = await engine.cache.add(ids, { pin: true });
      const prefixMs = performance.now() - start;
      for (const cell of cells.filter((each) => each.prefix === prefix)) {
        console.error(`${this.name}: prefix ${prefix}, ${cell.sequences} sequences`);
        try {
          await this.measureCell(cell, ids, prefixMs);
        } catch (error) {
          // What has no room is left out, and the table says so.
          if (!(error instanceof CachalotError) || error.code !== 'kv_budget_exceeded') throw error;
        }
      }
      engine.cache.release(kept);
    }
  }

  async close(): Promise<void> {
    await this.#engine?.dispose();
  }

  /** Sequences that have the prefix in common. */
  protected async generateAll(ids: readonly number[], sequences: number, maxTokens: number) {
    const { vocabulary } = this.engine.description;
    const prompts = Array.from({ length: sequences }, (_, i) => ({
      tokens: [...ids, ...randomTokens(OWN, vocabulary, 1000 * sequences + i)],
    }));
    const results = await this.engine
      .createBatch(prompts, { maxTokens, ignoreEos: true })
      .results();
    return results.map((result) => {
      if (result.error) throw result.error;
      return result;
    });
  }
}
