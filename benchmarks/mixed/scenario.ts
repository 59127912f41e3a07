/** One model and one number of sequences: what they wait between tokens, alone and beside a prompt, with and without a target. */
import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { randomTokens } from '#lib/bench/workload.js';
import { Engine } from '#lib/engine.js';

import { mustEqual } from '../harness/scenario.js';
import type { Scenario } from '../harness/scenario.js';
import { syntheticModel } from '../models/model-files.js';
import { Generating } from './generating.js';

const CONTEXT = 20_480;
const KV_BYTES = Math.min(4e9, totalmem() / 2);
/** What the sequences wait, in milliseconds, and the prompt's tokens per second. */
export interface Beside {
  /** `maxStepMs`, of the median gap alone; undefined: none. */
  target?: number;
  p50: number;
  p99: number;
  prompt: number;
}

export interface Row {
  shape: string;
  sequences: number;
  aloneP50: number;
  aloneP99: number;
  /** Tokens per second of the prompt, alone. */
  promptAlone: number;
  /** A point for each target, and one without. */
  curve: Beside[];
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

export class MixedScenario implements Scenario<Row> {
  readonly name: string;
  readonly #shape: string;
  readonly #sequences: number;
  readonly #tokens: number;
  readonly #targets: readonly number[];
  #model = '';
  #engine: Engine | undefined;

  /** `tokens`: of the prompt. `targets`: for steps beside it, of the median gap alone. */
  constructor(shape: string, sequences: number, tokens: number, targets: readonly number[]) {
    this.name = `${shape}, ${sequences} sequences`;
    this.#shape = shape;
    this.#sequences = sequences;
    this.#tokens = tokens;
    this.#targets = targets;
  }

  async open(): Promise<void> {
    const [shape, type] = this.#shape.split(':') as [string, string];
    this.#model = await syntheticModel({ shape, type, context: CONTEXT });
    await this.load({});
  }

  /** The same tokens beside the sequences as alone. */
  async check(): Promise<void> {
    const engine = this.#engine!;
    const ids = randomTokens(200, engine.description.vocabulary, 100);
    const answer = async () => {
      engine.clearCache();
      return (await engine.completeTokens(ids, { maxTokens: 8, ignoreEos: true }).result).tokens;
    };
    const alone = await answer();
    const generating = this.generate();
    const beside = await answer();
    await generating.end();
    engine.clearCache();
    mustEqual('an answer alone and beside others', alone, beside);
  }

  async measure(): Promise<Row> {
    const aloneMs = await this.prompt(100);
    const generating = this.generate();
    await sleep(1000);
    generating.take();
    await sleep(4000);
    const alone = generating.take();
    const aloneP50 = quantile(alone, 0.5);
    const free = await this.beside(generating);
    const curve: Beside[] = [];
    for (const target of this.#targets) {
      await this.load({ maxStepMs: target * aloneP50 });
      const others = this.generate();
      await sleep(2000);
      others.take();
      curve.push({ target, ...(await this.beside(others)) });
    }
    return {
      shape: this.#shape,
      sequences: this.#sequences,
      aloneP50,
      aloneP99: quantile(alone, 0.99),
      promptAlone: (1000 * this.#tokens) / aloneMs,
      curve: [...curve, free],
    };
  }

  /** Computes a prompt beside the sequences, and ends them. */
  private async beside(generating: Generating): Promise<Beside> {
    const ms = await this.prompt(200);
    const gaps = generating.take();
    await generating.end();
    return {
      p50: quantile(gaps, 0.5),
      p99: quantile(gaps, 0.99),
      prompt: (1000 * this.#tokens) / ms,
    };
  }

  async close(): Promise<void> {
    await this.#engine?.dispose();
  }

  /** In the place of the engine that is there. */
  private async load(options: { maxStepMs?: number }): Promise<void> {
    await this.#engine?.dispose();
    const kv = { bytes: KV_BYTES };
    this.#engine = await Engine.load(this.#model, {
      contextLength: CONTEXT,
      kv,
      draft: false,
      ...options,
    });
  }

  private generate(): Generating {
    return new Generating(this.#engine!, this.#sequences, CONTEXT - 64);
  }

  /** Milliseconds of a prompt that has not been seen before. */
  private async prompt(seed: number): Promise<number> {
    const engine = this.#engine!;
    const { vocabulary } = engine.description;
    const ids = randomTokens(this.#tokens, vocabulary, seed + this.#sequences);
    const start = performance.now();
    await engine.completeTokens(ids, { maxTokens: 1, ignoreEos: true }).result;
    return performance.now() - start;
  }
}
