/** A mode, really: the trace with all lengths divided, as one batch of an engine. */
import { Engine } from '#lib/engine.js';

import { mustEqual } from '../harness/scenario.js';
import type { Scenario } from '../harness/scenario.js';
import { syntheticModel } from '../models/model-files.js';
import { distinctTokens, promptsOf } from './mooncake.js';
import type { TracedRequest } from '#lib/estimate/trace-file.js';
import { scheduleOf } from './modes.js';
import type { Mode } from './modes.js';

const CHECKED = 8; // requests

export interface RealRow {
  mode: Mode;
  seconds: number;
  computed: number;
  distinct: number;
  kvBytes: number;
}

export class RealScenario implements Scenario<RealRow> {
  readonly name: string;
  readonly #requests: readonly TracedRequest[];
  readonly #mode: Mode;
  readonly #kvBytes: number;
  #engine: Engine | undefined;

  constructor(requests: readonly TracedRequest[], mode: Mode, kvBytes: number) {
    this.name = `running ${mode}`;
    this.#requests = requests;
    this.#mode = mode;
    this.#kvBytes = kvBytes;
  }

  async open(): Promise<void> {
    const model = await syntheticModel({ shape: 'smollm2-135m', type: 'Q8_0' });
    const prefixCache = this.#mode !== 'no cache';
    this.#engine = await Engine.load(model, {
      prefixCache,
      kv: { bytes: this.#kvBytes },
      draft: false,
    });
  }

  /** The first requests get the tokens in a batch that they get alone. */
  async check(): Promise<void> {
    const engine = this.#engine!;
    const requests = this.#requests.slice(0, CHECKED);
    const prompts = promptsOf(requests, engine.description.vocabulary);
    const together = await this.runBatch(prompts);
    engine.clearCache();
    for (const [i, { tokens, maxTokens }] of prompts.entries()) {
      const alone = await engine.completeTokens(tokens, { maxTokens, ignoreEos: true }).result;
      mustEqual(`request ${i} in a batch and alone`, together[i], alone.tokens);
    }
    engine.clearCache();
  }

  async measure(): Promise<RealRow> {
    const engine = this.#engine!;
    const prompts = promptsOf(this.#requests, engine.description.vocabulary);
    const distinct = distinctTokens(prompts.map(({ tokens }) => tokens));
    const before = engine.stats();
    const start = performance.now();
    await this.runBatch(prompts);
    const seconds = (performance.now() - start) / 1000;
    const { rows, generatedTokens } = engine.stats();
    // The first token of each comes from its prompt's last row.
    const decoded = generatedTokens - before.generatedTokens - prompts.length;
    const computed = rows - before.rows - decoded;
    return { mode: this.#mode, seconds, computed, distinct, kvBytes: this.#kvBytes };
  }

  async close(): Promise<void> {
    await this.#engine?.dispose();
  }

  /** The tokens of each. */
  private async runBatch(prompts: { tokens: number[]; maxTokens: number }[]): Promise<number[][]> {
    const options = { schedule: scheduleOf(this.#mode), ignoreEos: true } as const;
    const results = await this.#engine!.createBatch(prompts, options).results();
    return results.map((result) => {
      if (result.error) throw result.error;
      return result.tokens;
    });
  }
}
