/** Many prompts at once: they run together, share their common prefixes, and give results as they finish. */
import { checkOptions, integerIn, oneOf, readList } from '../checks/check-options.js';
import type { EngineParts } from '../engine/engine-parts.js';
import { CachalotError, fromNative, invalidArgument } from '../errors.js';
import type { GenerationResult } from '../generation/generation-result.js';
import { chatChecks } from '../options/generate-options.js';
import type { ChatOptions } from '../options/generate-options.js';
import { randomSeed } from '../options/sampling-options.js';
import { onAbort } from '../signals/abort.js';
import { readItem } from './batch-item.js';
import type { BatchItem } from './batch-item.js';
import { BatchRunner } from './batch-runner.js';
import type { Outcome } from './batch-runner.js';

export type { BatchItem, BatchRequest } from './batch-item.js';

export interface BatchOptions extends ChatOptions {
  /** How many completions of each prompt to give. Default 1. */
  n?: number | undefined;
  /** Draws so many completions of each prompt and gives the `n` of the highest mean log-probability. Default `n`. */
  bestOf?: number | undefined;
  /** "finished" (default): as they finish. "input": in the order of the prompts. */
  order?: 'finished' | 'input' | undefined;
  /**
   * "prefix-grouped" (default): all prompts become tokens first. Prompts with a common prefix run together, so the prefix is
   * computed once and kept no longer than needed. "fcfs": in the order given; the first starts at once.
   */
  schedule?: 'prefix-grouped' | 'fcfs' | undefined;
}

/** The outcome of one completion of a prompt: a result, or the error of this prompt alone. */
export type BatchResult = {
  /** Index of the prompt. */
  index: number;
  /** Which of the prompt's `n` completions; with `bestOf`, the best is 0. */
  completion: number;
} & ((GenerationResult & { error?: undefined }) | { error: CachalotError; text?: undefined });

export interface BatchStats {
  finished: number;
  failed: number;
  promptTokens: number;
  /** Tokens of prompts that were not computed because their keys and values were in the cache. */
  sharedTokens: number;
  /** The bytes of the keys and values of those tokens. */
  kvBytesSaved: number;
  completionTokens: number;
  /** Generated tokens per second, from the start of the batch to its last result so far. */
  tokensPerSecond: number;
}

/**
 * @example
 * const batch = engine.createBatch(['One, two,', 'Red, green,'], { maxTokens: 8 });
 * for await (const { index, text } of batch) console.log(index, text);
 */
export class Batch implements AsyncIterable<BatchResult> {
  /** Counters so far. */
  readonly stats: BatchStats = {
    finished: 0,
    failed: 0,
    promptTokens: 0,
    sharedTokens: 0,
    kvBytesSaved: 0,
    completionTokens: 0,
    tokensPerSecond: 0,
  };

  readonly #n: number;
  readonly #drawn: number; // completions of each prompt
  readonly #kvBytesPerToken: number;
  readonly #results: Promise<BatchResult>[];
  readonly #settle: ((result: BatchResult) => void)[] = [];
  readonly #candidates = new Map<number, Outcome[]>(); // of prompts whose best completions are not known yet
  readonly #finished: BatchResult[] = [];
  readonly #inOrder: boolean;
  readonly #cancel = new AbortController();
  readonly #release: () => void; // stops listening to the user's signal
  readonly #started = performance.now();
  #wake: (() => void)[] = [];

  /** @internal Made by `engine.createBatch`. */
  constructor(engine: EngineParts, items: readonly BatchItem[], options: BatchOptions) {
    const checked = checkOptions(options, {
      ...chatChecks,
      n: integerIn(1, 1024),
      bestOf: integerIn(1, 1024),
      order: oneOf('finished', 'input'),
      schedule: oneOf('prefix-grouped', 'fcfs'),
    });
    const { order, signal, n = 1, bestOf = n, schedule = 'prefix-grouped', ...rest } = checked;
    if (bestOf < n) throw invalidArgument('bestOf', `at least \`n\`, which is ${n}`, bestOf);
    this.#inOrder = order === 'input';
    this.#n = n;
    this.#drawn = bestOf;
    this.#kvBytesPerToken = engine.core.native.description().kvBytesPerToken;
    if (signal?.aborted) this.#cancel.abort(signal.reason);
    this.#release = onAbort(signal, () => this.#cancel.abort(signal!.reason));
    const seed = rest.seed ?? randomSeed();
    const prompts = readList('prompts', items, 'an array of prompts', readItem);
    this.#results = Array.from(
      { length: prompts.length * n },
      () => new Promise((resolve) => this.#settle.push(resolve)),
    );
    const generate = { ...rest, seed, signal: this.#cancel.signal };
    const runner = new BatchRunner(
      engine,
      prompts,
      { schedule, completions: bestOf, generate },
      (index, completion, outcome) => this.take(index, completion, outcome),
    );
    void runner.run().then(this.#release);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BatchResult, void, void> {
    try {
      for (let i = 0; i < this.#results.length; i++) {
        if (this.#inOrder) {
          yield await this.#results[i]!;
          continue;
        }
        while (i >= this.#finished.length) await new Promise<void>((wake) => this.#wake.push(wake));
        yield this.#finished[i]!;
      }
    } finally {
      this.#cancel.abort(); // leaving the loop ends the items that are still running
    }
  }

  /** All results, in the order of the prompts. */
  results(): Promise<BatchResult[]> {
    return Promise.all(this.#results);
  }

  private take(index: number, completion: number, outcome: Outcome): void {
    if ('result' in outcome) this.count(outcome.result);
    if (this.#drawn === this.#n) return this.give(index, completion, outcome);
    const candidates = this.#candidates.get(index) ?? [];
    this.#candidates.set(index, candidates);
    candidates.push(outcome);
    if (candidates.length < this.#drawn) return;
    this.#candidates.delete(index);
    candidates.sort((a, b) => meanLogprob(b) - meanLogprob(a)); // failures last
    for (let i = 0; i < this.#n; i++) this.give(index, i, candidates[i]!);
  }

  private give(index: number, completion: number, outcome: Outcome): void {
    const result: BatchResult =
      'result' in outcome
        ? { index, completion, ...outcome.result }
        : { index, completion, error: fromNative(outcome.error) };
    this.stats.finished++;
    if (result.error) this.stats.failed++;
    this.#finished.push(result);
    if (this.#finished.length === this.#results.length) this.#release();
    this.#settle[index * this.#n + completion]!(result);
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }

  private count({ usage }: GenerationResult): void {
    const { stats } = this;
    stats.promptTokens += usage.promptTokens;
    stats.sharedTokens += usage.cachedTokens;
    stats.kvBytesSaved = stats.sharedTokens * this.#kvBytesPerToken;
    stats.completionTokens += usage.completionTokens;
    stats.tokensPerSecond = (1000 * stats.completionTokens) / (performance.now() - this.#started);
  }
}

function meanLogprob(outcome: Outcome): number {
  if ('error' in outcome) return -Infinity;
  return outcome.result.logprob / Math.max(1, outcome.result.tokens.length);
}
