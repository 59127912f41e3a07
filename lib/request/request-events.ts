/**
 * Events of requests, for measurements: `node:diagnostics_channel` channels that cost nothing while there is no listener. A request
 * publishes events from the moment in which the engine has taken it. They hold counts and times, and no text of users.
 */
import { channel } from 'node:diagnostics_channel';

import type { CachalotError, ErrorCode } from '../errors.js';
import type { NativeFinish, NativeStart } from '../native.js';
import type { FinishReason } from './finish.js';

/** The call that made the request: sessions and `engine.chat` give "chat", `cache.add` and `cache.pin` give "cache". */
export type RequestKind = 'chat' | 'complete' | 'batch' | 'score' | 'logits' | 'cache';

/**
 * The message of the channels "cachalot:request:queued", "...:started", "...:first-token" and "...:finished". Values that are not known yet are 0.
 *
 * @example
 * import { subscribe } from 'node:diagnostics_channel';
 * subscribe('cachalot:request:finished', (message) => {
 *   const { id, kind, completionTokens, decodeMs } = message as RequestEvent;
 *   console.log(id, kind, (1000 * (completionTokens - 1)) / decodeMs);
 * });
 */
export interface RequestEvent {
  /** Counts the requests of this thread, over all its engines. */
  id: number;
  kind: RequestKind;
  promptTokens: number;
  /** Tokens of the prompt whose keys and values were found in the cache. */
  cachedTokens: number;
  completionTokens: number;
  /** From submission to the first step. */
  queuedMs: number;
  /** From the first step to the first token, or to the end if no token is generated. */
  prefillMs: number;
  /** From the first token to the last. */
  decodeMs: number;
  /** Of "finished": why it ended; "done" for a request that generates nothing. */
  finishReason?: FinishReason | 'done';
  /** Of "finished", instead of `finishReason`: the code of its error. */
  errorCode?: ErrorCode;
}

const CHANNELS = {
  queued: channel('cachalot:request:queued'),
  started: channel('cachalot:request:started'),
  firstToken: channel('cachalot:request:first-token'),
  finished: channel('cachalot:request:finished'),
};

let lastId = 0;

/** Undefined if there is no listener now: a request publishes all of its events or none. */
export function watchRequest(kind: RequestKind, promptTokens: number): RequestEvents | undefined {
  if (!Object.values(CHANNELS).some(({ hasSubscribers }) => hasSubscribers)) return undefined;
  return new RequestEvents(kind, promptTokens);
}

export class RequestEvents {
  readonly #now: RequestEvent;
  #phase: 'new' | 'queued' | 'prefill' | 'decode' | 'over' = 'new';
  #since = performance.now(); // when the current phase began

  constructor(kind: RequestKind, promptTokens: number) {
    this.#now = {
      id: 0,
      kind,
      promptTokens,
      cachedTokens: 0,
      completionTokens: 0,
      queuedMs: 0,
      prefillMs: 0,
      decodeMs: 0,
    };
  }

  /** The engine has taken it. */
  queued(): void {
    this.#now.id = ++lastId;
    this.begin('queued');
    this.publish('queued');
  }

  started({ cachedTokens, queuedMs }: NativeStart): void {
    if (this.#phase !== 'queued') return; // it has ended meanwhile
    Object.assign(this.#now, { cachedTokens, queuedMs });
    this.begin('prefill');
    this.publish('started');
  }

  token(): void {
    this.#now.completionTokens++;
    if (this.#phase !== 'prefill') return;
    this.#now.prefillMs = this.begin('decode');
    this.publish('firstToken');
  }

  /** Uses the engine's own times if the request has ended in the engine, too. */
  finished(
    how: CachalotError | { finishReason: FinishReason | 'done' },
    finish?: NativeFinish,
  ): void {
    if (this.#phase === 'new' || this.#phase === 'over') return;
    const last = { queued: 'queuedMs', prefill: 'prefillMs', decode: 'decodeMs' } as const;
    // A disposed engine reports no times of its requests.
    const times =
      finish && finish.errorCode !== 'disposed'
        ? {
            cachedTokens: finish.cachedTokens,
            queuedMs: finish.queuedMs,
            prefillMs: finish.prefillMs,
            decodeMs: finish.decodeMs,
          }
        : { [last[this.#phase]]: this.begin('over') };
    this.#phase = 'over';
    const end = 'code' in how ? { errorCode: how.code } : { finishReason: how.finishReason };
    Object.assign(this.#now, times, end);
    this.publish('finished');
  }

  /** Returns how long the previous phase took. */
  private begin(phase: 'queued' | 'prefill' | 'decode' | 'over'): number {
    const [before, now] = [this.#since, performance.now()];
    this.#phase = phase;
    this.#since = now;
    return now - before;
  }

  /** If a listener throws, Node throws its error later, as an uncaught exception; the request is not affected. */
  private publish(name: keyof typeof CHANNELS): void {
    if (CHANNELS[name].hasSubscribers) CHANNELS[name].publish({ ...this.#now });
  }
}
