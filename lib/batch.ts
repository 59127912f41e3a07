/** Many prompts at once: they run together, share what they have in common, and come back as they finish. */
import { setMaxListeners } from 'node:events';

import { checkOptions, oneOf } from './check-options.js';
import { CachalotError, fromNative, invalidArgument } from './errors.js';
import type { EngineContext } from './engine.js';
import { generateChecks, resolveGenerateOptions } from './generate-options.js';
import type { GenerateOptions } from './generate-options.js';
import { Generation } from './generation.js';
import type { GenerationResult } from './generation.js';
import type { Message } from './text/chat-template.js';

/** A string is text to continue; messages are put into the model's chat template. */
export type BatchItem = string | Message[];

export interface BatchOptions extends GenerateOptions {
  /** "finished" (default): as they finish. "input": in the order of the prompts. */
  order?: 'finished' | 'input';
}

/** One prompt's outcome: a result, or the error that this prompt alone ended with. */
export type BatchResult = { index: number } & (
  (GenerationResult & { error?: undefined }) | { error: CachalotError; text?: undefined }
);

export interface BatchStats {
  finished: number;
  failed: number;
  promptTokens: number;
  /** Tokens of prompts that were not computed because their keys and values were there. */
  sharedTokens: number;
  completionTokens: number;
  /** Generated tokens per second, from the start of the batch to its last result so far. */
  tokensPerSecond: number;
}

const SLICE = 16;

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
    completionTokens: 0,
    tokensPerSecond: 0,
  };

  readonly #results: Promise<BatchResult>[];
  readonly #finished: BatchResult[] = [];
  readonly #inOrder: boolean;
  readonly #cancel = new AbortController();
  readonly #started = performance.now();
  readonly #slices: Promise<void>[] = [Promise.resolve()];
  #wake: (() => void)[] = [];

  /** @internal Made by `engine.createBatch`. */
  constructor(engine: EngineContext, items: readonly BatchItem[], options: BatchOptions) {
    checkOptions(options, { ...generateChecks, order: oneOf('finished', 'input') });
    if (!Array.isArray(items)) throw invalidArgument('prompts', 'an array', items);
    const list: readonly BatchItem[] = items;
    const { order, signal, ...rest } = { ...options };
    this.#inOrder = order === 'input';
    const both = signal ? AbortSignal.any([signal, this.#cancel.signal]) : this.#cancel.signal;
    setMaxListeners(0, both);
    const generation = { ...rest, signal: both };
    this.#results = list.map((item, index) => this.run(engine, item, index, generation));
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
      this.#cancel.abort(); // leaving the loop ends what is still running
    }
  }

  /** All results, in the order of the prompts. */
  results(): Promise<BatchResult[]> {
    return Promise.all(this.#results);
  }

  private async run(
    engine: EngineContext,
    item: BatchItem,
    index: number,
    options: GenerateOptions,
  ): Promise<BatchResult> {
    let result: BatchResult;
    try {
      await this.slice(index);
      const generation = new Generation(
        {
          core: engine.core,
          tokenizer: engine.tokenizer,
          namespace: engine.namespace,
          prompt: () => engine.encodePrompt(item, options.signal),
          trimStart: Array.isArray(item),
        },
        resolveGenerateOptions(options),
      );
      result = { index, ...(await generation.result) };
    } catch (error) {
      result = { index, error: fromNative(error) };
    }
    this.count(result);
    this.#finished.push(result);
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
    return result;
  }

  /** Prompts are tokenized a few at a time, and the event loop gets its turn in between. */
  private slice(index: number): Promise<void> {
    const slice = Math.floor(index / SLICE);
    while (this.#slices.length <= slice) {
      this.#slices.push(
        this.#slices.at(-1)!.then(() => new Promise<void>((next) => setImmediate(next))),
      );
    }
    return this.#slices[slice]!;
  }

  private count(result: BatchResult): void {
    const { stats } = this;
    stats.finished++;
    if (result.error) {
      stats.failed++;
      return;
    }
    stats.promptTokens += result.usage.promptTokens;
    stats.sharedTokens += result.usage.cachedTokens;
    stats.completionTokens += result.usage.completionTokens;
    stats.tokensPerSecond = (1000 * stats.completionTokens) / (performance.now() - this.#started);
  }
}
