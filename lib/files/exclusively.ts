/** Work on a path, one at a time: within this process by a promise, between processes by a lock. */
import { dirname, resolve } from 'node:path';

import { abortError } from '../errors.js';
import { either } from '../signals/abort.js';
import { FileLock, lostError } from './lock.js';
import type { LockOptions } from './lock.js';
import { makePrivateFolder } from './private.js';

const running = new Map<string, Promise<unknown>>();

/**
 * Runs `work` while no other work runs for the same path. Its signal is the caller's, and also aborts when the lock is lost.
 * Throws io, aborted, or what the work throws.
 */
export async function exclusively<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
  options: Pick<LockOptions, 'onWait' | 'periods'> = {},
): Promise<T> {
  const key = resolve(path);
  for (let other = running.get(key), told = false; other; other = running.get(key)) {
    if (!told) options.onWait?.({ description: 'another call in this process', isAlive: true });
    told = true;
    await settled(other, signal);
  }
  const result = underLock(key, signal, work, options);
  running.set(key, result);
  try {
    return await result;
  } finally {
    running.delete(key);
  }
}

async function underLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
  options: Pick<LockOptions, 'onWait' | 'periods'>,
): Promise<T> {
  await makePrivateFolder(dirname(path));
  const lock = await FileLock.acquire(path, { signal, ...options });
  const both = either(signal, lock.lost);
  let result: T;
  try {
    result = await work(both.signal!);
  } catch (error) {
    await lock.release().catch(() => undefined); // the work's own error says more
    throw lock.lost.aborted && !signal?.aborted ? lostError(`${path}.lock`) : error;
  } finally {
    both.release();
  }
  // The work is done, even if the disk has no room for the files that a release needs.
  await lock.release().catch(() => undefined);
  if (lock.lost.aborted) throw lostError(`${path}.lock`); // two processes have written the same files
  return result;
}

/** Waits for `other`, whether it succeeds or fails; an abort ends the wait. */
async function settled(other: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) throw abortError(signal);
  await new Promise<void>((done, fail) => {
    const abort = () => fail(abortError(signal));
    signal?.addEventListener('abort', abort, { once: true });
    const end = () => {
      signal?.removeEventListener('abort', abort);
      done();
    };
    other.then(end, end);
  });
}
