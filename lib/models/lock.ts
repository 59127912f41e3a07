/** One pull of a file at a time: in this process by a promise, between processes by a lock file with our process id. */
import { open, readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { abortError } from '../errors.js';

const running = new Map<string, Promise<unknown>>();
const POLL_MS = 200;

/** Runs `work` when nobody else does so for the same path. */
export async function exclusively<T>(
  path: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  while (running.has(path)) {
    await Promise.race([running.get(path)?.catch(() => undefined), sleep(POLL_MS)]);
    if (signal?.aborted) throw abortError(signal);
  }
  const result = withLockFile(`${path}.lock`, signal, work);
  running.set(path, result);
  try {
    return await result;
  } finally {
    running.delete(path);
  }
}

async function withLockFile<T>(
  lock: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  while (!(await tryLock(lock))) {
    if (signal?.aborted) throw abortError(signal);
    await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    await unlock(lock);
  }
}

export async function unlock(lock: string): Promise<void> {
  await rm(lock, { force: true });
}

/** Whether we have it now. One that was left by a process that was killed is taken away: the next try gets it. */
export async function tryLock(lock: string): Promise<boolean> {
  try {
    const file = await open(lock, 'wx');
    await file.write(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const owner = Number(await readFile(lock, 'utf8').catch(() => ''));
  if (owner > 0 && !isAlive(owner)) await rm(lock, { force: true }); // left by a process that was killed
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
