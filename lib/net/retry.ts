/** Tries again where that may help. Pauses double, or are as long as the server asks for. */
import { setTimeout as sleep } from 'node:timers/promises';

import { CachalotError, abortError } from '../errors.js';

export interface NetLimits {
  /** A connection without a byte for so long is closed. */
  stallMs: number;
  /** Tries without progress. */
  attempts: number;
  firstPauseMs: number;
  /** If the server asks for a longer pause, the user is told instead. */
  longestPauseMs: number;
  /** Ends early when the signal is aborted. */
  pause: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

export const NET_LIMITS: NetLimits = {
  stallMs: 60_000,
  attempts: 5,
  firstPauseMs: 250,
  longestPauseMs: 60_000,
  pause: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
};

/** Options that every network operation takes. */
export interface NetOptions {
  signal?: AbortSignal | undefined;
  /** For tests. */
  limits?: Partial<NetLimits> | undefined;
}

/** Thrown by work for which another try may help. */
export class Interrupted extends Error {
  /** The pause that the server asked for. */
  readonly pauseMs: number | undefined;

  constructor(message: string, options: { cause?: unknown; pauseMs?: number | undefined } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.pauseMs = options.pauseMs;
  }
}

/**
 * Runs `work` until it returns, fails for good, or has been interrupted `attempts` times without progress, as
 * `progress` reports it. `doing` completes "cannot ...". Throws aborted, download_failed, or what the work throws.
 */
export async function withRetries<T>(
  doing: string,
  work: () => Promise<T>,
  { signal, limits }: NetOptions,
  progress: () => number = () => 0,
): Promise<T> {
  const { attempts, firstPauseMs, longestPauseMs, pause } = { ...NET_LIMITS, ...limits };
  let best = progress();
  for (let attempt = 1; ; attempt++) {
    if (signal?.aborted) throw abortError(signal);
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted) throw abortError(signal);
      if (!(error instanceof Interrupted)) throw error;
      const now = progress();
      if (now > best) attempt = 1;
      best = Math.max(best, now);
      const wait = error.pauseMs ?? firstPauseMs * 2 ** (attempt - 1);
      const isTooLong = wait > longestPauseMs;
      if (attempt >= attempts || isTooLong) {
        const after = isTooLong
          ? `; it asks for a pause of ${Math.ceil(wait / 1000)} seconds: run the same command again then`
          : `; tried ${attempt} times; run the same command again to go on`;
        throw new CachalotError('download_failed', `cannot ${doing}: ${error.message}${after}`, {
          cause: error,
        });
      }
      await pause(wait, signal);
    }
  }
}

/** Reads a Retry-After header: seconds, or a date. Undefined if it is neither. */
export function retryAfterMs(header: string | null, now = Date.now()): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
