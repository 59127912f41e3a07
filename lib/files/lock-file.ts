/** A lock as other processes see it: who holds it, and whether the holder is alive. */
import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { hostname } from 'node:os';

import { lifeOf, ownIdentity } from './process-identity.js';
import type { Life, ProcessIdentity } from './process-identity.js';
import { kindOf } from './regular-file.js';

/** The holder that a process waits for. */
export interface LockHolder {
  /** "process 123 on HOST, since TIME", or a text saying that the lock does not name its holder. */
  description: string;
  /** False while the lock file is the only evidence of a holder: a file with other content looks the same. */
  isAlive: boolean;
}

export interface LockPeriods {
  /** The interval at which the holder renews the lock. */
  beatMs: number;
  /** The interval at which waiting processes look. */
  pollMs: number;
  /** A lock that is not renewed for so long, while a process watches it, has no holder. */
  staleMs: number;
  /** The same if the holder's process exists: it may be stopped or busy. */
  stuckMs: number;
}

/** A holder whose event loop is blocked, or whose file system hangs, is silent for seconds, but never for a minute. */
export const LOCK_PERIODS: LockPeriods = {
  beatMs: 5_000,
  pollMs: 200,
  staleMs: 60_000,
  stuckMs: 600_000,
};

export interface LockRecord extends ProcessIdentity {
  token: string;
  host: string;
  since: string;
}

export function newRecord(token: string): LockRecord {
  return { token, ...ownIdentity(), host: hostname(), since: new Date().toISOString() };
}

/** The fields of a file's status that matter. They are declared here, so that the package's types do not need Node's. */
interface LockStatus {
  ino: bigint;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
}

/** A lock as seen at one moment. */
export interface Sighting {
  /** Changes when the lock is renewed or replaced. */
  state: string;
  /** Undefined if the content is not ours, or not written yet. */
  record: LockRecord | undefined;
  status: LockStatus;
}

const MOST_BYTES = 4096;

/** Undefined if there is no lock. Opens the file, because network file systems show changes only to a process that opens it. */
export async function sight(path: string): Promise<Sighting | undefined> {
  const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants;
  const file = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW).catch(() => undefined);
  try {
    const status = await (file ? file.stat({ bigint: true }) : lstat(path, { bigint: true }));
    let text = '';
    if (file && status.isFile()) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
      text = buffer.toString('utf8', 0, bytesRead);
    }
    const { dev, ino, size, mtimeNs, ctimeNs } = status;
    return {
      state: [dev, ino, size, mtimeNs, ctimeNs, text].join(' '),
      record: parse(text),
      status,
    };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESTALE') return undefined; // removed in the meantime
    throw error;
  } finally {
    await file?.close();
  }
}

function parse(text: string): LockRecord | undefined {
  try {
    const { token, pid, start, scope, host, since } = JSON.parse(text) as Record<string, unknown>;
    const isSound =
      Number.isInteger(pid) &&
      (pid as number) > 0 &&
      [token, start, scope, host, since].every((field) => typeof field === 'string');
    return isSound ? ({ token, pid, start, scope, host, since } as LockRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** Watches one lock. */
export class LockWatch {
  readonly #path: string;
  readonly #periods: LockPeriods;
  #last: Sighting | undefined;
  #hasBeaten = false;
  #silentMs = 0;
  #lookedMs = 0;

  constructor(path: string, periods: LockPeriods) {
    this.#path = path;
    this.#periods = periods;
  }

  /** Undefined if there is no lock. */
  async look(): Promise<{ sighting: Sighting; holder: LockHolder; isStale: boolean } | undefined> {
    const sighting = await sight(this.#path);
    const now = performance.now();
    const passed = now - this.#lookedMs;
    this.#lookedMs = now;
    const last = this.#last;
    this.#last = sighting;
    if (sighting === undefined) return undefined;
    const isSame = last?.state === sighting.state;
    // Only time spent watching counts: the whole machine may have been asleep, and its clocks may jump.
    this.#silentMs = isSame ? this.#silentMs + Math.min(passed, 2 * this.#periods.pollMs) : 0;
    if (!isSame)
      this.#hasBeaten = last?.record !== undefined && last.record.token === sighting.record?.token;
    const life = sighting.record ? lifeOf(sighting.record) : 'unknown';
    const holder = {
      description: describe(sighting),
      isAlive: life === 'alive' || (life === 'unknown' && this.#hasBeaten),
    };
    return { sighting, holder, isStale: this.isStale(life) };
  }

  private isStale(life: Life): boolean {
    const { staleMs, stuckMs } = this.#periods;
    return life === 'dead' || this.#silentMs >= (life === 'alive' ? stuckMs : staleMs);
  }
}

function describe({ record, status }: Sighting): string {
  if (record) {
    const printable = (text: string) => text.replace(/[^\w.:-]/g, '?').slice(0, 64);
    return `process ${record.pid} on ${printable(record.host)}, since ${printable(record.since)}`;
  }
  return status.isFile()
    ? 'somebody whom the lock does not name'
    : `${status.isSymbolicLink() ? 'a link' : kindOf(status)} in the place of the lock`;
}
