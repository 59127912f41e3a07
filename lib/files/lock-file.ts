/** What is seen of a lock from outside: who holds it, and whether he shows life. */
import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { hostname } from 'node:os';

import { lifeOf, ownIdentity } from './process-identity.js';
import type { Life, ProcessIdentity } from './process-identity.js';
import { kindOf } from './regular-file.js';

/** Whom somebody waits for. */
export interface LockHolder {
  /** "process 123 on HOST, since TIME", or that the lock does not say. */
  description: string;
  /** False as long as nothing but the lock itself speaks for it: junk looks the same. */
  isAlive: boolean;
}

export interface LockPeriods {
  /** The holder renews the lock so often. */
  beatMs: number;
  /** Who waits looks so often. */
  pollMs: number;
  /** A lock that is not renewed while somebody looks on for so long has no holder. */
  staleMs: number;
  /** The same for a process that is there, and may be stopped or busy. */
  stuckMs: number;
}

/** A holder whose event loop is blocked, or whose file system hangs, is silent for seconds; nobody is for a minute. */
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

/** The part of a file's status that counts; named here, so that the package's types need none of Node's. */
interface LockStatus {
  ino: bigint;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
}

/** A lock as it is at one moment. */
export interface Sighting {
  /** Changes when the lock is renewed, or is another one. */
  state: string;
  /** Undefined for what we have not written, or not yet. */
  record: LockRecord | undefined;
  status: LockStatus;
}

const MOST_BYTES = 4096;

/** Undefined if there is none. Opens it, since network file systems tell news to who opens a file. */
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
    if (code === 'ENOENT' || code === 'ESTALE') return undefined; // removed while we looked
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

/** Looks at one lock again and again. */
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
    // Only time that we looked on counts: the whole machine may have been asleep, and its clocks may jump.
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
