/**
 * Weights as they were repacked by an earlier load. A layout is named by the content of the model's file and by the version
 * of the layout; which content a file has is remembered under what the file system says of it, and worked out anew when
 * any of that changes. What is found here is only an offer: native code checks it, and packs again if it is not sound.
 */
import { createHash, webcrypto } from 'node:crypto';
import {
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  statfs,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';

import { native } from '../native.js';
import { cacheFolder } from './cache-folder.js';
import { isAlive } from './lock.js';

export interface LayoutCacheLimits {
  /** Room for all layouts together; those used longest ago go first. */
  maxBytes: number;
  /** Smaller models are repacked at each load. */
  minBytes: number;
}

export const LAYOUT_LIMITS: LayoutCacheLimits = { maxBytes: 20 * 2 ** 30, minBytes: 64 * 2 ** 20 };

const CHUNK = 8 * 2 ** 20;
const SETTLED_MS = 2000; // a file that changed so lately could change again with the same time
const UNFINISHED = /\.(\d+)\.\d+\.tmp$/;

export const layoutsFolder = () => join(cacheFolder(), 'layouts');

/** One that was laid out before. */
export interface StoredLayout {
  path: string;
  bytes: number;
  usedMs: number;
}

export class LayoutCache {
  readonly #folder: string;
  readonly #limits: LayoutCacheLimits;

  /** @throws where there is no home for the folder */
  constructor(folder = layoutsFolder(), limits: Partial<LayoutCacheLimits> = {}) {
    this.#folder = folder;
    this.#limits = { ...LAYOUT_LIMITS, ...limits };
  }

  /** The layout of a model's file, if there is one. */
  async find(model: string): Promise<string | undefined> {
    const status = await statusOf(model);
    if (!status) return undefined;
    const content = await readFile(this.contentPath(status), 'utf8').catch(() => '');
    if (!/^[0-9a-f]{64}$/.test(content)) return undefined;
    const path = this.layoutPath(content);
    const now = new Date();
    return utimes(path, now, now).then(
      () => path,
      () => undefined,
    );
  }

  /** Keeps a layout of `bytes`, which `write` puts where it is told. One that is there stays unless it was refused. */
  async save(
    model: string,
    bytes: number,
    write: (path: string) => Promise<void>,
    { refused = false } = {},
  ): Promise<void> {
    const before = await statusOf(model);
    if (!before || bytes < this.#limits.minBytes || bytes > this.#limits.maxBytes) return;
    if (Date.now() - Number(before.changedMs) < SETTLED_MS) return;
    await mkdir(this.#folder, { recursive: true });
    await this.removeUnfinished();
    const content = await hashOf(model);
    const after = await statusOf(model);
    if (after?.identity !== before.identity) return; // it is another file by now
    const path = this.layoutPath(content);
    if (refused || !(await stat(path).catch(() => undefined))) {
      if (!(await this.makeRoom(bytes))) return;
      await write(path);
    }
    const reference = this.contentPath(before);
    await writeFile(`${reference}.${process.pid}`, content);
    await rename(`${reference}.${process.pid}`, reference);
  }

  /** All layouts, the one used last first. */
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

  /** Deletes everything; engines that use a layout keep what they have mapped. Returns the bytes that are free now. */
  async clear(): Promise<number> {
    const bytes = (await this.list()).reduce((sum, layout) => sum + layout.bytes, 0);
    await rm(this.#folder, { recursive: true, force: true });
    return bytes;
  }

  private layoutPath(content: string): string {
    return join(this.#folder, `${content.slice(0, 32)}-${native().layoutName()}.layout`);
  }

  private contentPath({ identity }: FileStatus): string {
    return join(this.#folder, `${createHash('sha256').update(identity).digest('hex')}.content`);
  }

  /** Whether there is room for a layout under the limit, and as much again on the disk. */
  private async makeRoom(bytes: number): Promise<boolean> {
    const layouts = await this.list();
    let sum = bytes + layouts.reduce((all, layout) => all + layout.bytes, 0);
    while (sum > this.#limits.maxBytes && layouts.length > 0) {
      const last = layouts.pop()!;
      await rm(last.path, { force: true });
      sum -= last.bytes;
    }
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize > 2 * bytes;
  }

  /** What processes left that were killed while they wrote. */
  private async removeUnfinished(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const [, owner] = UNFINISHED.exec(name) ?? [];
      if (owner && !isAlive(Number(owner))) await rm(join(this.#folder, name), { force: true });
    }
  }
}

interface FileStatus {
  /** Changes when the file does: nobody can set the time of the last change of its status. */
  identity: string;
  changedMs: bigint;
}

/** Of a file; folders of safetensors hold nothing that is repacked. */
async function statusOf(path: string): Promise<FileStatus | undefined> {
  const status = await stat(path, { bigint: true }).catch(() => undefined);
  if (!status?.isFile()) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs } = status;
  return {
    identity: [dev, ino, size, mtimeNs, ctimeNs].join(' '),
    changedMs: ctimeNs / 1_000_000n,
  };
}

/** SHA-256 of the SHA-256 of each 8 MiB: worked out beside the event loop, piece by piece. */
async function hashOf(path: string): Promise<string> {
  const file = await open(path);
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
