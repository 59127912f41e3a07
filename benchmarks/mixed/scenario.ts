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
/** Of the median gap alone: what steps beside a prompt may take. */
export const TARGET = 1.35;

export interface Row {
  shape: string;
  sequences: number;
  aloneP50: number;
  aloneP99: number;
  target: number;
  mixedP50: number;
  mixedP99: number;
  /** The same without a target. */
  freeP99: number;
  /** Tokens per second of the prompt: alone, beside the sequences with the target, and without. */
  promptAlone: number;
  promptMixed: number;
  promptFree: number;
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
  #model = '';
  #engine: Engine | undefined;

  /** `tokens`: of the prompt. */
  constructor(shape: string, sequences: number, tokens: number) {
    this.name = `${shape}, ${sequences} sequences`;
    this.#shape = shape;
    this.#sequences = sequences;
    this.#tokens = tokens;
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
    const before = this.generate();
    await sleep(1000);
    before.take();
    await sleep(4000);
    const alone = before.take();
    const freeMs = await this.prompt(200);
    const free = before.take();
    await before.end();
    const aloneP50 = quantile(alone, 0.5);
    const target = TARGET * aloneP50;
    await this.load({ maxStepMs: target });
    const generating = this.generate();
    await sleep(2000);
    generating.take();
    const mixedMs = await this.prompt(300);
    const mixed = generating.take();
    await generating.end();
    return {
      shape: this.#shape,
      sequences: this.#sequences,
      aloneP50,
      aloneP99: quantile(alone, 0.99),
      target,
      mixedP50: quantile(mixed, 0.5),
      mixedP99: quantile(mixed, 0.99),
      freeP99: quantile(free, 0.99),
      promptAlone: (1000 * this.#tokens) / aloneMs,
      promptMixed: (1000 * this.#tokens) / mixedMs,
      promptFree: (1000 * this.#tokens) / freeMs,
    };
  }

  async close(): Promise<void> {
    await this.#engine?.dispose();
  }

  /** In the place of the engine that is there. */
  private async load(options: { maxStepMs?: number }): Promise<void> {
    await this.#engine?.dispose();
    const kv = { bytes: KV_BYTES };
    this.#engine = await Engine.load(this.#model, { contextLength: CONTEXT, kv, ...options });
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
