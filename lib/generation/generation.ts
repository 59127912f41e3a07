/** A running generation: iterate it for text as it comes, or await its result. */
import type { TokenLogprob } from '../engine/engine-core.js';
import { CachalotError, abortError, fromNative } from '../errors.js';
import type { NativeEdit, NativeFinish } from '../native.js';
import type { DraftContextUsage } from '../options/draft-context.js';
import type { ResolvedOptions } from '../options/generate-options.js';
import { finishError } from '../request/finish.js';
import { watchRequest } from '../request/request-events.js';
import type { RequestEvents } from '../request/request-events.js';
import { onAbort } from '../signals/abort.js';
import { Answer } from './answer.js';
import type { GeneratedToken } from './answer.js';
import { generateRequest } from './generate-request.js';
import { summarize } from './generation-result.js';
import type { GenerationResult } from './generation-result.js';
import type { GenerationSource } from './generation-source.js';
import { valueOf } from './object-value.js';

/**
 * Iterate a generation for its text in pieces, as it is made. Leaving the loop ends the generation.
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
  readonly #answer: Answer;
  readonly #created = performance.now();
  #request: number | undefined;
  #said: Int32Array = new Int32Array(0);
  #edits: readonly NativeEdit[] = [];
  #draftContext: DraftContextUsage | undefined;
  #systemMerged = false;
  #value: { object: unknown } | { partialObject: unknown } | undefined;
  #given = 0; // tokens whose text a loop has received
  #ignores = false; // whether later tokens are ignored: a stop string was found, or the reader has left
  #left = false;
  #finish: NativeFinish | undefined;
  #ended = false;
  #error: CachalotError | undefined;
  #events: RequestEvents | undefined;
  readonly #wake: (() => void)[] = [];
  #settle!: { resolve: (result: GenerationResult) => void; reject: (error: CachalotError) => void };
  readonly #releases: (() => void)[]; // of the signals

  /** @internal Made by sessions, batches and the engine. */
  constructor({ prompt, ...source }: GenerationSource, options: ResolvedOptions) {
    this.#source = source;
    this.#options = options;
    this.#answer = new Answer(source.tokenizer.detokenizer(), options.stop);
    this.result = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.result.catch(() => undefined); // a reader of the text receives the error there
    const signals = [options.signal, source.signal].filter((signal) => signal !== undefined);
    this.#releases = signals.map((signal) => onAbort(signal, () => this.abort(signal)));
    const aborted = signals.find((signal) => signal.aborted);
    if (aborted) this.abort(aborted);
    else void this.start(prompt); // not kept: it may hold a whole conversation
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    const { pieces } = this.#answer;
    const given = (i: number) => pieces[i]!.nTokens;
    yield* this.follow(
      () => pieces.length,
      (i) => pieces[i]!.text,
      given,
    );
  }

  /** Whether its reader left before the end; the generation then ends at the engine's next step. */
  get left(): boolean {
    return this.#left;
  }

  /** Whether it has ended, successfully or not. */
  get ended(): boolean {
    return this.#ended;
  }

  /** @internal When its context is edited, the beginning of the prompt included. */
  get edits(): readonly NativeEdit[] {
    return this.#edits;
  }

  /** @internal The ids of the text, known once it has ended: without those of a stop string, or of text that was never read. */
  get said(): Int32Array {
    return this.#said;
  }

  /** @internal Whether the answer began as the template would have begun it. */
  get followsTemplate(): boolean {
    return this.#answer.followsTemplate;
  }

  /**
   * Ends the generation at the engine's next step. Its loops receive the text so far and end. Its result holds the same text,
   * with finishReason "aborted". An aborted `signal`, in contrast, makes it fail.
   */
  stop(): void {
    if (this.#ended || this.#finish) return;
    this.#left = true;
    if (this.#request === undefined)
      this.end(undefined); // no request has been submitted yet
    else this.cancel();
  }

  /** The generation token by token, with ids and log-probabilities. */
  async *tokens(): AsyncGenerator<GeneratedToken, void, void> {
    const answer = this.#answer;
    yield* this.follow(
      () => answer.nReady,
      (i) => answer.tokens[i]!,
      (i) => i + 1,
    );
  }

  /** The pieces so far and those to come. When a loop is left, the answer ends with the piece it read last. */
  private async *follow<T>(
    nReady: () => number,
    item: (index: number) => T,
    nTokens: (index: number) => number,
  ): AsyncGenerator<T, void, void> {
    let complete = false;
    try {
      for (let i = 0; ; i++) {
        while (i >= nReady() && !this.#ended)
          await new Promise<void>((wake) => this.#wake.push(wake));
        if (i >= nReady()) break;
        this.#given = Math.max(this.#given, nTokens(i));
        yield item(i);
      }
      complete = true;
      if (this.#error) throw this.#error;
    } finally {
      if (!complete) {
        if (!this.#ended && !this.#finish) this.#answer.endAfter(this.#given);
        this.stop();
        await this.result.catch(() => undefined); // it has ended when the loop has ended
      }
    }
  }

  private async start(prompt: GenerationSource['prompt']): Promise<void> {
    try {
      const given = await prompt();
      const { content, gap = '', systemMerged = false } = given;
      this.#answer.gap = gap;
      this.#systemMerged = systemMerged;
      const request = await generateRequest(this.#source, given, this.#options, this.#created);
      this.#edits = request.edits ?? [];
      const { tokens, factor } = request.draftContext ?? {};
      if (tokens && factor !== undefined) this.#draftContext = { tokens: tokens.length, factor };
      if (this.#ended) return;
      this.#request = this.#source.core.submit(request, {
        events: (this.#events = watchRequest(
          this.#source.kind,
          content.base.end + content.ids.length,
        )),
        onToken: (token, top) => this.onToken(token, top),
        onFinish: (finish) => this.onFinish(finish),
      });
    } catch (error) {
      this.end(fromNative(error));
    }
  }

  private onToken(token: TokenLogprob, top: TokenLogprob[]): void {
    if (this.#ignores || this.#ended) return; // a step was already on its way
    this.#answer.push(token, top);
    this.#events?.token();
    if (this.#answer.isStopped) this.cancel();
    this.notify();
  }

  private onFinish(finish: NativeFinish): void {
    this.#finish = finish;
    if (finish.reason === 'error') return this.end(finishError(finish, this.#options.deadlineMs));
    this.#answer.end();
    void this.conclude();
  }

  /** Called where the ids of the whole answer are known. */
  private async conclude(): Promise<void> {
    const { encodeRest } = this.#source;
    const { schema } = this.#options;
    if (!encodeRest && !schema) return this.end(undefined);
    try {
      if (schema) {
        const isWhole = this.#finish?.reason === 'stop' && !this.#left;
        this.#value = await valueOf(schema, this.#answer.text, isWhole);
      }
      if (!encodeRest) return this.end(undefined);
      const { ids, rest } = this.#answer.said();
      const { tokenizer } = this.#source;
      // Special tokens are no text. Only the one that ended the answer is part of it.
      const end = this.#finish?.reason === 'stop' ? ids.length - 1 : -1;
      const said = ids.filter((id, i) => i === end || !tokenizer.isSpecial(id));
      this.#said = rest === '' ? said : Int32Array.from([...said, ...(await encodeRest(rest))]);
      this.end(undefined);
    } catch (error) {
      this.end(fromNative(error));
    }
  }

  private cancel(): void {
    this.#ignores = true;
    if (this.#request !== undefined) this.#source.core.cancel(this.#request);
  }

  private abort(signal: AbortSignal): void {
    this.cancel();
    this.end(abortError(signal));
  }

  private end(error: CachalotError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const release of this.#releases) release();
    const outcome = error ?? this.summary();
    if (outcome instanceof CachalotError) this.#settle.reject((this.#error = outcome));
    else this.#settle.resolve(outcome);
    this.notify();
    this.#events?.finished(outcome, this.#finish);
  }

  /** An error of our own ends the generation as any other does. */
  private summary(): GenerationResult | CachalotError {
    try {
      return this.summarized();
    } catch (error) {
      return fromNative(error);
    }
  }

  private summarized(): GenerationResult {
    return summarize(this.#answer, this.#finish, {
      hasLeft: this.#left,
      systemMerged: this.#systemMerged,
      isCompressed: this.#options.compress !== undefined || this.#edits.length > 0,
      window: this.#options.compress?.window,
      draftContext: this.#draftContext,
      value: this.#value,
      wantsLogprobs: this.#options.sampling.topLogprobs !== undefined,
    });
  }

  private notify(): void {
    for (const resolve of this.#wake.splice(0)) resolve();
  }
}
