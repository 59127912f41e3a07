/**
 * Tokenizes long texts in a worker, and finds names of special tokens in them. The worker loads a vocabulary of its own when it is
 * first needed. One job at a time.
 */
import { join, resolve as absolute } from 'node:path';
import { Worker } from 'node:worker_threads';

import { CachalotError, abortError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { packageRoot } from '../native.js';
import { MARK } from './name-breaker.js';
import type { EncodeOptions } from './tokenizer.js';
import type {
  TextAnswer,
  TextJob,
  TextResults,
  TextWork,
  TokenizerSource,
} from './tokenizer-worker.js';

interface Job {
  asked: TextJob;
  signal: AbortSignal | undefined;
  onAbort: () => void;
  resolve(result: TextResults[keyof TextResults]): void;
  reject(error: CachalotError): void;
}

/** The largest texts take seconds; what takes longer is a pattern that was made to. Counts for each text alone. */
const DEADLINE_MS = 60_000;

export class TokenizerThread {
  readonly #source: TokenizerSource;
  #queue: Job[] = [];
  #current: Job | undefined;
  #timer: NodeJS.Timeout | undefined;
  #worker: Worker | undefined;
  #disposed = false;

  constructor(model: string, tokenizer: string | undefined) {
    // The program may change its folder before the worker starts.
    const file = tokenizer === undefined ? undefined : absolute(tokenizer);
    this.#source = { model: absolute(model), tokenizer: file, mark: MARK };
  }

  encode(text: string, options: EncodeOptions, signal?: AbortSignal): Promise<Int32Array> {
    return this.ask('encode', { text, options }, signal);
  }

  ask<K extends keyof TextWork>(
    kind: K,
    work: TextWork[K],
    given?: AbortSignal,
  ): Promise<TextResults[K]> {
    const signal = given && AbortSignal.any([given]); // many texts may share one signal
    const answer = new Promise<TextResults[keyof TextResults]>((resolve, reject) => {
      if (this.#disposed) throw new CachalotError('disposed', 'the engine has been disposed');
      if (signal?.aborted) throw abortError(signal);
      const onAbort = () => this.abort(job);
      const job: Job = { asked: { kind, work } as TextJob, signal, onAbort, resolve, reject };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(job);
      this.next();
    });
    return answer as Promise<TextResults[K]>;
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    const reason = new CachalotError('disposed', 'the engine has been disposed');
    for (const job of this.#queue.splice(0)) this.settle(job, reason);
    await this.stop(reason);
  }

  private next(): void {
    if (this.#current) return;
    this.#current = this.#queue.shift();
    if (!this.#current) return this.#worker?.unref();
    const worker = (this.#worker ??= this.start());
    worker.ref(); // a program whose last work is this text must not end before it
    this.#timer = setTimeout(() => void this.stop(overdue()), DEADLINE_MS);
    worker.postMessage(this.#current.asked);
  }

  private start(): Worker {
    const worker = new Worker(join(packageRoot, 'dist', 'text', 'tokenizer-worker.js'), {
      workerData: this.#source,
    });
    worker.on('message', (answer: TextAnswer) => {
      if (worker === this.#worker)
        this.finish('result' in answer ? answer.result : failure(answer));
    });
    worker.on('error', (error) => {
      if (worker === this.#worker)
        void this.stop(failure({ code: 'internal', message: error.message }));
    });
    return worker;
  }

  private finish(result: TextResults[keyof TextResults] | CachalotError): void {
    const job = this.#current;
    clearTimeout(this.#timer);
    this.#current = undefined;
    if (job) this.settle(job, result);
    this.next();
  }

  private settle(job: Job, result: TextResults[keyof TextResults] | CachalotError): void {
    job.signal?.removeEventListener('abort', job.onAbort);
    if (result instanceof CachalotError) job.reject(result);
    else job.resolve(result);
  }

  /** A text that waits is dropped; one that is being cut is let finish, as a new worker would cost more. */
  private abort(job: Job): void {
    this.#queue = this.#queue.filter((other) => other !== job);
    job.reject(abortError(job.signal));
  }

  /** Ends the worker and the text it is at; those that wait get a new one. */
  private async stop(reason: CachalotError): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.finish(reason);
    await worker?.terminate();
  }
}

function failure({ code, message }: { code: string; message: string }): CachalotError {
  const text = code === 'internal' ? `the tokenizer's worker failed: ${message}` : message;
  return new CachalotError(code as ErrorCode, text);
}

function overdue(): CachalotError {
  return new CachalotError(
    'tokenizer_timeout',
    `a text was not tokenized within ${DEADLINE_MS / 1000} s; the model's tokenizer is probably broken or hostile`,
  );
}
