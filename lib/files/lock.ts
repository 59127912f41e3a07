/**
 * A lock between processes, also on different machines: FILE.lock, which names its holder and is renewed as long as it is held.
 * A lock that is not renewed is removed by a waiting process, whatever it is: the rest of a killed process, junk, an empty file. A
 * holder that was stopped for longer than that is told that it has lost its lock.
 *
 * Creating the file is atomic. Only the holder of FILE.guard.lock may remove the file, and it holds the guard just long enough to check
 * that the lock is still the one that was judged. So two processes that find the same stale lock never remove a lock that one of them has made since.
 */
import { randomUUID } from 'node:crypto';
import { lstat, open, rm, rmdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';

import { CachalotError, abortError } from '../errors.js';
import { ioError } from './io-error.js';
import { LOCK_PERIODS, LockWatch, newRecord, sight } from './lock-file.js';
import type { LockHolder, LockPeriods, Sighting } from './lock-file.js';
import { PRIVATE_FILE } from './private.js';

export interface LockOptions {
  signal?: AbortSignal | undefined;
  /** Called with the holder when the wait begins, and again when that holder shows life. If it throws, the wait ends. */
  onWait?: ((holder: LockHolder) => void) | undefined;
  periods?: LockPeriods;
}

export class FileLock {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #record: Buffer;
  readonly #periods: LockPeriods;
  readonly #timer: NodeJS.Timeout;
  readonly #lost = new AbortController();
  #renewing: Promise<void> | undefined;

  private constructor(lock: string, file: FileHandle, record: Buffer, periods: LockPeriods) {
    this.#path = lock;
    this.#file = file;
    this.#record = record;
    this.#periods = periods;
    this.#timer = setInterval(() => this.renew(), periods.beatMs);
    this.#timer.unref();
  }

  /** Waits for the lock of `path`. Throws io, aborted, or what `onWait` throws. */
  static async acquire(
    path: string,
    { signal, onWait, periods = LOCK_PERIODS }: LockOptions = {},
  ): Promise<FileLock> {
    const lock = `${path}.lock`;
    try {
      const watches = [
        new LockWatch(lock, periods),
        new LockWatch(guardOf(lock), periods),
      ] as const;
      for (let told = ''; ;) {
        if (signal?.aborted) throw abortError(signal);
        const made = await make(lock);
        if (made) return new FileLock(lock, made.file, made.record, periods);
        const seen = await watches[0].look();
        if (seen === undefined) continue; // it has just been released
        const isGone = seen.isStale && (await takeAway(lock, seen.sighting, watches[1]));
        if (isGone) continue;
        const news = `${seen.holder.description} ${seen.holder.isAlive}`;
        if (news !== told) onWait?.(seen.holder);
        told = news;
        await pause(periods.pollMs, signal);
      }
    } catch (error) {
      throw isOfSystem(error) ? ioError(error, 'lock', path) : error;
    }
  }

  /** Aborts when another process has taken the lock because this process was inactive for too long. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
    try {
      if (!(await this.isHeld())) this.#lost.abort(lostError(this.#path));
      const { ino } = await this.#file.stat({ bigint: true });
      const isOurs = ({ status }: Sighting) => status.ino === ino; // no other file has this inode number while ours is open
      const guard = new LockWatch(guardOf(this.#path), this.#periods);
      while (!this.lost.aborted && !(await takeAwayIf(this.#path, isOurs, guard, true)))
        await sleep(this.#periods.pollMs);
    } catch (error) {
      throw ioError(error, 'remove the lock', this.#path);
    } finally {
      await this.#file.close();
    }
  }

  private renew(): void {
    this.#renewing ??= this.writeAgain().finally(() => (this.#renewing = undefined));
  }

  /** Writes the same bytes again: the time comes from the file system's own clock, and a reader never sees a partly changed text. */
  private async writeAgain(): Promise<void> {
    try {
      if (!(await this.isHeld())) {
        clearInterval(this.#timer);
        this.#lost.abort(lostError(this.#path));
        return;
      }
      await this.#file.write(this.#record, 0, this.#record.length, 0);
      await this.#file.datasync(); // so that other machines see it
    } catch {
      // A file system that fails for a moment may work the next time, and waiting processes are patient.
    }
  }

  private async isHeld(): Promise<boolean> {
    const { dev, ino } = await this.#file.stat({ bigint: true });
    const there = await lstat(this.#path, { bigint: true }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    return there?.dev === dev && there.ino === ino;
  }
}

export function lostError(lock: string): CachalotError {
  return new CachalotError(
    'io',
    `the lock '${lock}' was taken by another process, since this one did nothing for too long: try again`,
  );
}

const guardOf = (lock: string) => lock.replace(/\.lock$/, '.guard.lock');

/** Undefined if the name is taken. A lock that cannot be filled, for example on a full disk, is removed. */
async function make(lock: string): Promise<{ file: FileHandle; record: Buffer } | undefined> {
  const record = Buffer.from(`${JSON.stringify(newRecord(randomUUID()))}\n`);
  const file = await openNew(lock);
  if (!file) return undefined;
  try {
    await file.writeFile(record);
    return { file, record };
  } catch (error) {
    await rm(lock, { force: true });
    await file.close();
    throw error;
  }
}

async function openNew(path: string): Promise<FileHandle | undefined> {
  return open(path, 'wx', PRIVATE_FILE).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  });
}

function takeAway(lock: string, stale: Sighting, guard: LockWatch): Promise<boolean> {
  return takeAwayIf(lock, ({ state }) => state === stale.state, guard);
}

/** Removes the lock if it is still the one that was judged. False if another process has the guard: try again. */
async function takeAwayIf(
  lock: string,
  isJudged: (now: Sighting) => boolean,
  guard: LockWatch,
  isOwn = false,
): Promise<boolean> {
  const held = await openNew(guardOf(lock)).catch(async (error: unknown) => {
    // There is no room for a guard. A lock of our own, which no process may judge yet, is removed without one.
    const now = isOwn ? await sight(lock) : undefined;
    if (!now || !isJudged(now)) throw error;
    await remove(lock, now);
    return null;
  });
  if (held === null) return true;
  if (!held) {
    // A guard is held for moments: one that stays belongs to a process that was killed while it held it.
    const seen = await guard.look();
    if (seen?.isStale) await remove(guardOf(lock), seen.sighting);
    return false;
  }
  try {
    const now = await sight(lock);
    if (now && isJudged(now)) await remove(lock, now);
    return true;
  } finally {
    await held.close();
    await rm(guardOf(lock), { force: true });
  }
}

/** Removes a folder only if it is empty: files in it belong to somebody. */
async function remove(path: string, { status }: Sighting): Promise<void> {
  if (!status.isDirectory()) return rm(path, { force: true });
  await rmdir(path).catch((error: unknown) => {
    throw ioError(error, 'remove what is in the place of a lock,', path);
  });
}

/** An abort ends the wait sooner; the caller checks for it. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
}

function isOfSystem(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.syscall !== undefined;
}
