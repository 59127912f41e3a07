/** Many prompts at once: they run together, share what they have in common, and come back as they finish. */
import { setMaxListeners } from 'node:events';

import { checkOptions, integerIn, oneOf } from './check-options.js';
import type { Context } from './context.js';
import { CachalotError, fromNative, invalidArgument } from './errors.js';
import type { EngineContext } from './engine-context.js';
import { generateChecks, resolveGenerateOptions } from './generate-options.js';
import type { GenerateOptions } from './generate-options.js';
import { Generation } from './generation.js';
import type { GenerationResult } from './generation.js';
import { checkMessages } from './text/chat-template.js';
import type { Message } from './text/chat-template.js';

/** A prompt with options of its own, which come before those of the batch. */
export interface BatchRequest extends GenerateOptions {
  prompt: string | Message[];
  /** What stands before the prompt: its keys and values are shared by all who use it. */
  context?: Context;
}

/** A string is text to continue; messages are put into the model's chat template. */
export type BatchItem = string | Message[] | BatchRequest;

export interface BatchOptions extends GenerateOptions {
  /** How many completions of each prompt to draw. Default 1. */
  n?: number;
  /** "finished" (default): as they finish. "input": in the order of the prompts. */
  order?: 'finished' | 'input';
}

/** One prompt's outcome: a result, or the error that this prompt alone ended with. */
export type BatchResult = {
  /** Of the prompt. */
  index: number;
  /** Which of its `n` completions. */
  completion: number;
} & ((GenerationResult & { error?: undefined }) | { error: CachalotError; text?: undefined });

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
    checkOptions(options, {
      ...generateChecks,
      n: integerIn(1, 1024),
      order: oneOf('finished', 'input'),
    });
    if (!Array.isArray(items)) throw invalidArgument('prompts', 'an array', items);
    const { order, signal, n = 1, ...rest } = { ...options };
    this.#inOrder = order === 'input';
    const both = signal ? AbortSignal.any([signal, this.#cancel.signal]) : this.#cancel.signal;
    setMaxListeners(0, both);
    const seed = rest.seed ?? Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
    const shared = { ...rest, seed, signal: both };
    this.#results = (items as readonly BatchItem[]).flatMap((item, index) =>
      this.prompt(engine, snapshot(item), index, n, shared),
    );
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

  /** The completions of one prompt. The others wait for the first one's first token: by then its prompt is cached. */
  private prompt(
    engine: EngineContext,
    item: BatchItem,
    index: number,
    n: number,
    shared: GenerateOptions,
  ): Promise<BatchResult>[] {
    let computed: () => void = () => undefined;
    const first = n === 1 ? undefined : new Promise<void>((resolve) => (computed = resolve));
    return Array.from({ length: n }, (_, completion) =>
      this.run(index, completion, async () => {
        await (completion === 0 ? this.slice(index) : first);
        try {
          const generation = start(engine, item, completion, shared);
          if (completion === 0 && n > 1) void firstToken(generation).then(computed);
          return await generation.result;
        } finally {
          if (completion === 0) computed();
        }
      }),
    );
  }

  private async run(
    index: number,
    completion: number,
    generate: () => Promise<GenerationResult>,
  ): Promise<BatchResult> {
    let result: BatchResult;
    try {
      result = { index, completion, ...(await generate()) };
    } catch (error) {
      result = { index, completion, error: fromNative(error) };
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

/** What an item says now; its owner may change it while it waits. */
function snapshot(item: BatchItem): BatchItem {
  if (typeof item === 'string' || typeof item !== 'object' || item === null) return item;
  const copy = (messages: Message[]) =>
    messages.map((message) => (typeof message === 'object' ? { ...message } : message));
  if (Array.isArray(item)) return copy(item);
  return { ...item, prompt: Array.isArray(item.prompt) ? copy(item.prompt) : item.prompt };
}

/** What one item asks for. Throws what is wrong with this item alone. */
function start(
  engine: EngineContext,
  item: BatchItem,
  completion: number,
  shared: GenerateOptions,
): Generation {
  const isPrompt = typeof item === 'string' || Array.isArray(item);
  const { prompt, context, ...own } = isPrompt ? { prompt: item } : { ...item };
  if (typeof prompt !== 'string') checkMessages(prompt);
  const given = Object.entries(own).filter(([, value]) => value !== undefined);
  const options: GenerateOptions = { ...shared, ...(Object.fromEntries(given) as GenerateOptions) };
  const checked = resolveGenerateOptions(options);
  const signals = [checked.signal, shared.signal].filter((signal) => signal !== undefined);
  const resolved = { ...checked, signal: AbortSignal.any(signals) };
  const { core, tokenizer, namespace } = engine;
  return new Generation(
    {
      core,
      tokenizer,
      namespace,
      completion,
      prompt: () =>
        engine.encodePrompt(prompt, {
          context,
          specialTokens: resolved.specialTokens,
          signal: resolved.signal,
        }),
      trimStart: Array.isArray(prompt),
    },
    resolved,
  );
}

/** Settles at the first token, or at the end if there is none. */
async function firstToken(generation: Generation): Promise<void> {
  await Promise.race([generation.started, generation.result.catch(() => undefined)]);
}
