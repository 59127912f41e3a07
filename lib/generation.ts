/** A running generation: iterate it for text as it comes, or await its result. */
import { onAbort } from './abort.js';
import { CachalotError, abortError, fromNative } from './errors.js';
import type { EngineCore, TokenLogprob } from './engine-core.js';
import { finishError } from './finish-error.js';
import type { ResolvedOptions } from './generate-options.js';
import type { NativeFinish, NativeSampling } from './native.js';
import { dryBreakers, resolveSampling } from './sampling-options.js';
import { StopStrings } from './text/stop-strings.js';
import type { TokenTable } from './text/token-table.js';

/** Why a generation ended: the model stopped (or a stop string came), a limit was reached, or its reader left. */
export type FinishReason = 'stop' | 'length' | 'aborted';

export interface GeneratedToken {
  id: number;
  /** The text that became complete with this token; empty for special tokens and parts of characters. */
  text: string;
  /** Natural logarithm of the token's probability under the model, before sampling options act. */
  logprob: number;
  /** The likeliest tokens at this place, likeliest first, if `topLogprobs` asks for them. */
  top?: TokenLogprob[];
}

export interface Usage {
  promptTokens: number;
  /** Tokens of the prompt whose keys and values were found in the cache. */
  cachedTokens: number;
  completionTokens: number;
}

export interface Timings {
  /** From submission to the first step. */
  queuedMs: number;
  /** From then to the first token. */
  prefillMs: number;
  /** From the first token to the last. */
  decodeMs: number;
}

export interface GenerationResult {
  text: string;
  /** All generated ids, the one that stopped the model included. */
  tokens: number[];
  finishReason: FinishReason;
  usage: Usage;
  timings: Timings;
  /** Sum of the tokens' log-probabilities. */
  logprob: number;
  /** Of each token, if `topLogprobs` is given; 0 gives those of the generated tokens alone. */
  logprobs?: GeneratedToken[];
}

export interface BatchPlace {
  batch: number;
  rank: number;
}

/** What a generation needs from the engine. */
export interface GenerationSource {
  core: EngineCore;
  tokenizer: TokenTable;
  /** The tokens in whose text one of some strings is. */
  tokensWith: (texts: readonly string[]) => Promise<Int32Array>;
  namespace: string;
  /** Which of several completions of the same prompt this is: its draws are its own. Default 0. */
  completion?: number | undefined;
  /** Its place in a batch that the engine knows of. */
  place?: BatchPlace | undefined;
  /** Of the batch; the request's own is in its options. */
  signal?: AbortSignal | undefined;
  /** The ids of the prompt; may take a while (templates). */
  prompt: () => Promise<Int32Array> | Int32Array;
  /** Takes white space off the beginning of the text: templates leave it to the model. */
  trimStart?: boolean;
}

/**
 * Iterate a generation for its text in pieces, as it is made. Leaving the loop ends it.
 *
 * @example
 * const generation = session.chat('Why is the sky blue?');
 * for await (const piece of generation) process.stdout.write(piece);
 * const { usage, finishReason } = await generation.result;
 */
export class Generation implements AsyncIterable<string> {
  /** Settles when the generation has ended. Rejects with the error that ended it, "aborted" included. */
  readonly result: Promise<GenerationResult>;

  readonly #source: Omit<GenerationSource, 'prompt'>;
  readonly #options: ResolvedOptions;
  readonly #detokenizer;
  readonly #stops: StopStrings;
  readonly #tokens: GeneratedToken[] = [];
  readonly #created = performance.now();
  #request: number | undefined;
  #trim: boolean;
  #stopped = false; // by a stop string or by the reader, before the engine knows
  #left = false;
  #finish: NativeFinish | undefined;
  #ended = false;
  #error: CachalotError | undefined;
  #wake: (() => void)[] = [];
  #settle!: { resolve: (result: GenerationResult) => void; reject: (error: CachalotError) => void };
  readonly #releases: (() => void)[]; // of the signals

  /** @internal Made by sessions, batches and the engine. */
  constructor({ prompt, ...source }: GenerationSource, options: ResolvedOptions) {
    this.#source = source;
    this.#options = options;
    this.#detokenizer = source.tokenizer.detokenizer();
    this.#stops = new StopStrings(options.stop);
    this.#trim = source.trimStart ?? false;
    this.result = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.result.catch(() => undefined); // a reader of the text hears of the error there
    const signals = [options.signal, source.signal].filter((signal) => signal !== undefined);
    this.#releases = signals.map((signal) => onAbort(signal, () => this.abort(signal)));
    const aborted = signals.find((signal) => signal.aborted);
    if (aborted) this.abort(aborted);
    else void this.start(prompt); // not kept: it may hold a whole conversation
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    for await (const { text } of this.tokens()) {
      if (text !== '') yield text;
    }
  }

  /** Whether its reader left before the end; it then ends at the engine's next step. */
  get left(): boolean {
    return this.#left;
  }

  /** Whether it has ended, in whatever way. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Ends the generation at the engine's next step, as leaving its loop does: its loops end, and its result holds what there
   * is, with finishReason "aborted". An aborted `signal`, in contrast, makes it fail.
   */
  stop(): void {
    if (this.#ended) return;
    this.#left = true;
    if (this.#request === undefined)
      this.end(undefined); // nothing has been asked of the engine yet
    else this.cancel();
  }

  /** The generation token by token, with ids and log-probabilities. */
  async *tokens(): AsyncGenerator<GeneratedToken, void, void> {
    let complete = false;
    try {
      for (let i = 0; ; i++) {
        while (i >= this.#tokens.length && !this.#ended)
          await new Promise<void>((wake) => this.#wake.push(wake));
        const token = this.#tokens[i];
        if (token === undefined) break;
        yield token;
      }
      complete = true;
      if (this.#error) throw this.#error;
    } finally {
      if (!complete) {
        this.stop();
        await this.result.catch(() => undefined); // it has ended when the loop has
      }
    }
  }

  private async start(prompt: GenerationSource['prompt']): Promise<void> {
    try {
      const tokens = await prompt();
      const sampling = await this.sampling();
      if (this.#ended) return;
      this.#request = this.#source.core.submit(
        {
          kind: 'generate',
          namespace: this.#source.namespace,
          tokens,
          maxTokens: this.#options.maxTokens,
          sampling,
          stopTokens: this.stopTokens(),
          rows: new Int32Array(0),
          pin: 0,
          priority: this.#options.priority,
          ttlMs: 0,
          deadlineMs: this.remainingMs(),
          batch: this.#source.place?.batch ?? 0,
          batchRank: this.#source.place?.rank ?? 0,
        },
        {
          onToken: (token, top) => this.onToken(token, top),
          onFinish: (finish) => this.onFinish(finish),
        },
      );
    } catch (error) {
      this.end(fromNative(error));
    }
  }

  /** Of the deadline, once the prompt has become tokens; 0: none. */
  private remainingMs(): number {
    const { deadlineMs } = this.#options;
    if (deadlineMs === 0) return 0;
    return Math.max(1, Math.round(deadlineMs - (performance.now() - this.#created)));
  }

  private async sampling(): Promise<NativeSampling> {
    const { sampling } = this.#options;
    const { completion = 0 } = this.#source;
    const breakers = dryBreakers(sampling);
    const tokens = breakers && (await this.#source.tokensWith(breakers));
    return { ...resolveSampling(sampling, tokens), completion };
  }

  private stopTokens(): Int32Array {
    const own = this.#options.ignoreEos ? [] : this.#source.tokenizer.stopTokens;
    return Int32Array.from([...own, ...Array.from(this.#options.stopTokens)]);
  }

  private onToken({ id, logprob }: TokenLogprob, top: TokenLogprob[]): void {
    if (this.#stopped || this.#ended) return; // a step was already on its way
    const text = this.#stops.push(this.trimmed(this.#detokenizer.push(id)));
    this.#tokens.push({ id, text, logprob, ...(top.length === 0 ? {} : { top }) });
    if (this.#stops.found) this.cancel();
    this.notify();
  }

  private trimmed(text: string): string {
    if (!this.#trim) return text;
    const rest = text.trimStart();
    this.#trim = rest === '';
    return rest;
  }

  private onFinish(finish: NativeFinish): void {
    this.#finish = finish;
    if (finish.reason === 'error') {
      return this.end(finishError(finish, this.#options.deadlineMs));
    }
    const rest = this.#stops.push(this.trimmed(this.#detokenizer.end())) + this.#stops.end();
    const last = this.#tokens.at(-1);
    if (rest !== '' && last)
      this.#tokens[this.#tokens.length - 1] = { ...last, text: last.text + rest };
    this.end(undefined);
  }

  private cancel(): void {
    this.#stopped = true;
    if (this.#request !== undefined) this.#source.core.cancel(this.#request);
  }

  private abort(signal: AbortSignal): void {
    this.cancel();
    this.end(abortError(signal));
  }

  private end(error: CachalotError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    for (const release of this.#releases) release();
    if (error) this.#settle.reject(error);
    else this.#settle.resolve(this.summary());
    this.notify();
  }

  private summary(): GenerationResult {
    const finish = this.#finish;
    const reason = this.#stops.found ? 'stop' : (finish?.reason ?? 'aborted');
    return {
      text: this.#tokens.map((token) => token.text).join(''),
      tokens: this.#tokens.map((token) => token.id),
      finishReason: reason === 'stop' || reason === 'length' ? reason : 'aborted',
      usage: {
        promptTokens: finish?.promptTokens ?? 0,
        cachedTokens: finish?.cachedTokens ?? 0,
        completionTokens: this.#tokens.length,
      },
      timings: {
        queuedMs: finish?.queuedMs ?? 0,
        prefillMs: finish?.prefillMs ?? 0,
        decodeMs: finish?.decodeMs ?? 0,
      },
      logprob: this.#tokens.reduce((sum, { logprob }) => sum + logprob, 0),
      ...(this.#options.sampling.topLogprobs === undefined ? {} : { logprobs: [...this.#tokens] }),
    };
  }

  private notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}
