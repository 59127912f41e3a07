/** Tokenizes long texts in a worker, which loads a vocabulary of its own when it is first needed. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { CachalotError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { packageRoot } from '../native.js';
import { MARK } from './name-breaker.js';
import type { EncodeOptions } from './tokenizer.js';
import type { EncodeAnswer, EncodeJob, TokenizerSource } from './tokenizer-worker.js';

interface Pending {
  resolve(ids: Int32Array): void;
  reject(error: CachalotError): void;
  timer: NodeJS.Timeout;
}

/** The largest texts take seconds; what takes longer is a pattern that was made to. */
const DEADLINE_MS = 60_000;

export class TokenizerThread {
  readonly #source: TokenizerSource;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #nextId = 1;
  #disposed = false;

  constructor(model: string, tokenizer: string | undefined) {
    this.#source = { model, tokenizer, mark: MARK };
  }

  encode(text: string, options: EncodeOptions): Promise<Int32Array> {
    return new Promise((resolve, reject) => {
      if (this.#disposed) throw new CachalotError('disposed', 'the engine has been disposed');
      const worker = (this.#worker ??= this.start());
      const job: EncodeJob = { id: this.#nextId++, text, options };
      const timer = setTimeout(() => void this.stop(overdue()), DEADLINE_MS);
      this.#pending.set(job.id, { resolve, reject, timer });
      worker.ref(); // a program whose last work is this text must not end before it
      worker.postMessage(job);
    });
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    await this.stop(new CachalotError('disposed', 'the engine has been disposed'));
  }

  private start(): Worker {
    const worker = new Worker(join(packageRoot, 'dist', 'text', 'tokenizer-worker.js'), {
      workerData: this.#source,
    });
    worker.on('message', (answer: EncodeAnswer) => this.settle(answer));
    worker.on('error', (error) => {
      const failure = new CachalotError(
        'internal',
        `the tokenizer's worker failed: ${error.message}`,
        {
          cause: error,
        },
      );
      if (worker === this.#worker) void this.stop(failure);
    });
    return worker;
  }

  private settle(answer: EncodeAnswer): void {
    const pending = this.#pending.get(answer.id);
    clearTimeout(pending?.timer);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) this.#worker?.unref();
    if ('ids' in answer) pending?.resolve(answer.ids);
    else pending?.reject(new CachalotError(answer.code as ErrorCode, answer.message));
  }

  private async stop(reason: CachalotError): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(reason);
    }
    this.#pending.clear();
    await worker?.terminate();
  }
}

function overdue(): CachalotError {
  return new CachalotError(
    'tokenizer_timeout',
    `a text was not tokenized within ${DEADLINE_MS / 1000} s; the model's tokenizer is probably broken or hostile`,
  );
}
