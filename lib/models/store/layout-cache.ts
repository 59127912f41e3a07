/**
 * Packed weights of earlier loads. A layout is named by the content of the model's file and by the version of the layout. The content
 * of a file is remembered under its file status, and hashed again when that changes. A layout that is found here is only a
 * candidate: native code checks it, and packs again if it is not sound. A file that others can have written is not even
 * a candidate.
 */
import { createHash, webcrypto } from 'node:crypto';
import { chmod, readdir, rm, stat, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';

import { CachalotError } from '../../errors.js';
import { ioError } from '../../files/io-error.js';
import { PRIVATE_FOLDER, isOnlyOurs, makePrivateFolder } from '../../files/private.js';
import { openRegular, readOwnText } from '../../files/regular-file.js';
import { writeOwn } from '../../files/write-whole.js';
import { native } from '../../native.js';
import { allParts } from '../names/split-name.js';
import { withCacheAdvice } from './cache-advice.js';
import { CACHE_SETTINGS, cacheFolder } from './cache-folder.js';

export interface LayoutCacheLimits {
  /** Disk space for all layouts together; the least recently used are deleted first. */
  maxBytes: number;
  /** Models with fewer bytes are repacked at each load. */
  minBytes: number;
}

export const LAYOUT_LIMITS: LayoutCacheLimits = { maxBytes: 20 * 2 ** 30, minBytes: 64 * 2 ** 20 };

const CHUNK = 8 * 2 ** 20;
const SETTLED_MS = 2000; // a file changed so recently could change again within the same time stamp
const ABANDONED_MS = 10 * 60_000;
const UNFINISHED = /\.(tmp|part)$/;
const KEPT = /\.(layout|content)$/;
const CONTENT = /^[0-9a-f]{64}$/;
const CONTENT_BYTES = 64;

export const layoutsFolder = (cacheDir?: string) => join(cacheFolder(cacheDir), 'layouts');

/** A layout of an earlier load. */
export interface StoredLayout {
  path: string;
  bytes: number;
  usedMs: number;
}

export class LayoutCache {
  readonly #folder: string;
  readonly #limits: LayoutCacheLimits;

  /** @throws if there is no home for the folder */
  constructor(folder = layoutsFolder(), limits: Partial<LayoutCacheLimits> = {}) {
    this.#folder = folder;
    this.#limits = { ...LAYOUT_LIMITS, ...limits };
  }

  /** The identity of a model's file, and its layout if there is one. Undefined if it is not a file. */
  async find(model: string): Promise<FoundLayout | undefined> {
    const status = await statusOf(model);
    if (!status) return undefined;
    const content = (await this.isTrusted())
      ? await readOwnText(this.contentPath(status), CONTENT_BYTES)
      : undefined;
    if (content === undefined || !CONTENT.test(content)) return { model, status };
    const path = this.layoutPath(content);
    const now = new Date();
    return utimes(path, now, now).then(
      () => ({ model, status, path }),
      () => ({ model, status }),
    );
  }

  /** Whether the file is still the one that was found. If so, the weights loaded in between are of this file. */
  async isUnchanged({ model, status }: FoundLayout): Promise<boolean> {
    return (await statusOf(model))?.identity === status.identity;
  }

  /**
   * Keeps a layout of `bytes`, which `write` writes to the path it is given, of the file that was found before the load. An existing
   * layout stays, unless it was found and then refused. Throws io.
   */
  async save(
    found: FoundLayout,
    bytes: number,
    write: (path: string) => Promise<void>,
  ): Promise<void> {
    try {
      await this.keep(found, bytes, write);
    } catch (error) {
      throw withCacheAdvice(ioError(error, 'keep weights in', this.#folder), () => this.#folder);
    }
  }

  private async keep(
    found: FoundLayout,
    bytes: number,
    write: (path: string) => Promise<void>,
  ): Promise<void> {
    const { model, status, path: refused } = found;
    if (bytes < this.#limits.minBytes || bytes > this.#limits.maxBytes) return;
    if (Date.now() - Number(status.changedMs) < SETTLED_MS) return;
    await this.claimFolder();
    await this.removeUnfinished();
    if (!(await this.hasRoom(bytes))) return;
    const content = await contentOf(model);
    if (!(await this.isUnchanged(found))) return; // the file has been replaced
    const path = this.layoutPath(content);
    await oneAfterAnother(path, async () => {
      if (path === refused) await rm(path, { force: true });
      if (await stat(path).catch(() => undefined)) return;
      await this.evictFor(bytes);
      await write(path);
    });
    await writeOwn(this.contentPath(status), content);
  }

  /** Whether only we can have put files there. */
  private async isTrusted(): Promise<boolean> {
    const status = await stat(this.#folder).catch(() => undefined);
    return status !== undefined && isOnlyOurs(status);
  }

  /** Makes the folder. If ours was open to others, closes it and removes the files that they can have replaced. */
  private async claimFolder(): Promise<void> {
    await makePrivateFolder(this.#folder);
    if (await this.isTrusted()) return;
    const { uid } = await stat(this.#folder);
    if (uid === process.geteuid?.()) {
      await chmod(this.#folder, PRIVATE_FOLDER);
      const kept = (await readdir(this.#folder)).filter((name) => KEPT.test(name));
      for (const name of kept) await rm(join(this.#folder, name), { force: true });
      if (await this.isTrusted()) return;
    }
    throw new CachalotError(
      'io',
      `others can write to '${this.#folder}', so nothing in it is trusted: remove it, or name a folder of your own by ${CACHE_SETTINGS}`,
    );
  }

  /** All layouts, the most recently used first. */
  async list(): Promise<StoredLayout[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const found = await Promise.all(
      names
        .filter((name) => name.endsWith('.layout'))
        .map(async (name) => {
          const path = join(this.#folder, name);
          const status = await stat(path).catch(() => undefined);
          return status && { path, bytes: status.size, usedMs: status.mtimeMs };
        }),
    );
    return found.filter((each) => each !== undefined).sort((a, b) => b.usedMs - a.usedMs);
  }

  /** Deletes all layouts; engines that use one keep their mapping. Returns the bytes that were freed. */
  async clear(): Promise<number> {
    const bytes = (await this.list()).reduce((sum, layout) => sum + layout.bytes, 0);
    await rm(this.#folder, { recursive: true, force: true }).catch((error: unknown) => {
      throw ioError(error, 'delete', this.#folder);
    });
    return bytes;
  }

  private layoutPath(content: string): string {
    return join(this.#folder, `${content.slice(0, 32)}-${native().layoutName()}.layout`);
  }

  private contentPath({ identity }: FileStatus): string {
    return join(this.#folder, `${createHash('sha256').update(identity).digest('hex')}.content`);
  }

  /** As much space again stays free on the disk. */
  private async hasRoom(bytes: number): Promise<boolean> {
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize > 2 * bytes;
  }

  private async evictFor(bytes: number): Promise<void> {
    const layouts = await this.list();
    let sum = bytes + layouts.reduce((all, layout) => all + layout.bytes, 0);
    while (sum > this.#limits.maxBytes && layouts.length > 0) {
      const last = layouts.pop()!;
      await rm(last.path, { force: true });
      sum -= last.bytes;
    }
  }

  /** Deletes the rest of processes that were killed while they wrote: a living writer touches its file more often. */
  private async removeUnfinished(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!UNFINISHED.test(name)) continue;
      const path = join(this.#folder, name);
      const status = await stat(path).catch(() => undefined);
      if (status && Date.now() - status.mtimeMs > ABANDONED_MS) await rm(path, { force: true });
    }
  }
}

const writing = new Map<string, Promise<void>>();

/** Only within this process; if another process writes the same layout, that costs only time. */
async function oneAfterAnother(path: string, work: () => Promise<void>): Promise<void> {
  const turn = (writing.get(path) ?? Promise.resolve()).catch(() => undefined).then(work);
  writing.set(path, turn);
  try {
    await turn;
  } finally {
    if (writing.get(path) === turn) writing.delete(path);
  }
}

/** A model's file as it was before it was loaded. */
export interface FoundLayout {
  model: string;
  status: FileStatus;
  /** The path of its layout. */
  path?: string;
}

interface FileStatus {
  /** Changes when the file does: no program can set the time of the last change of its status. */
  identity: string;
  changedMs: bigint;
}

/** Status of a file, or of all parts of a split one; a folder of safetensors contains nothing that is repacked. */
async function statusOf(path: string): Promise<FileStatus | undefined> {
  const parts = await Promise.all(allParts(path).map(statusOfFile));
  const found = parts.filter((part) => part !== undefined);
  if (found.length < parts.length) return undefined;
  return {
    identity: found.map(({ identity }) => identity).join('\n'),
    changedMs: found.reduce((last, { changedMs }) => (changedMs > last ? changedMs : last), 0n),
  };
}

async function statusOfFile(path: string): Promise<FileStatus | undefined> {
  const status = await stat(path, { bigint: true }).catch(() => undefined);
  if (!status?.isFile()) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs } = status;
  return {
    identity: [dev, ino, size, mtimeNs, ctimeNs].join(' '),
    changedMs: ctimeNs / 1_000_000n,
  };
}

/** Content of a file, or of all parts of a split one. */
async function contentOf(path: string): Promise<string> {
  const [first, ...rest] = allParts(path) as [string, ...string[]];
  let content = await hashOf(first);
  for (const part of rest)
    content = createHash('sha256')
      .update(`${content} ${await hashOf(part)}`)
      .digest('hex');
  return content;
}

/** SHA-256 over the SHA-256 of each 8 MiB, computed piece by piece beside the event loop. */
async function hashOf(path: string): Promise<string> {
  const file = await openRegular(path);
  const all = createHash('sha256');
  try {
    const chunk = new Uint8Array(CHUNK);
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK);
      if (bytesRead === 0) return all.digest('hex');
      const digest = await webcrypto.subtle.digest('SHA-256', chunk.subarray(0, bytesRead));
      all.update(new Uint8Array(digest));
    }
  } finally {
    await file.close();
  }
}
