/**
 * Writes files whole or not at all: to a file beside the target, onto the disk, then renamed. If anything fails in between, such as
 * a full disk or a kill, the old file stays as it was. (A file's other hard links keep the old content.)
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { access, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { ioError } from './io-error.js';
import { PRIVATE_FILE } from './private.js';
import { notAFile } from './regular-file.js';

/** The content, or a function that writes it piece by piece. */
export type Content = string | Uint8Array | ((file: FileHandle) => Promise<void>);

const MOST_LINKS = 40; // the limit of Linux

/**
 * A user's file: an existing one keeps its mode and, if permitted, its owner; a link is followed. A new file is for its owner
 * alone. Throws io, or what `content` throws.
 */
export async function writeWhole(path: string, content: Content): Promise<void> {
  await orIoError(path, async () => {
    const target = await followLink(path);
    const before = await statusOf(target);
    if (before && !before.isFile()) throw notAFile('write', path, before);
    if (before) await access(target, constants.W_OK); // renaming over a file needs no such right
    await writeBeside(target, content, before);
  });
}

/** A file of our own, such as a mark in a cache folder: it replaces an existing file, and is for its owner alone. */
export async function writeOwn(path: string, content: Content): Promise<void> {
  await orIoError(path, () => writeBeside(path, content, undefined));
}

/** The target of a path, also if it does not exist yet. */
export async function followLink(path: string): Promise<string> {
  let target = path;
  for (let links = 0; links < MOST_LINKS; links++) {
    const next = await readlink(target).catch((error: unknown) => {
      if (['EINVAL', 'ENOENT', 'UNKNOWN'].includes(codeOf(error) ?? '')) return undefined; // not a link
      throw error;
    });
    if (next === undefined) return target;
    target = resolve(await realpath(dirname(target)), next);
  }
  throw Object.assign(new Error('too many links'), { code: 'ELOOP', syscall: 'readlink' });
}

async function writeBeside(
  path: string,
  content: Content,
  before: Stats | undefined,
): Promise<void> {
  // A name of its own: the target's name may already have the greatest length. `cachalot models` shows `.part` as unfinished.
  const beside = join(dirname(path), `.cachalot-${randomBytes(6).toString('hex')}.part`);
  const file = await open(beside, 'wx', PRIVATE_FILE);
  try {
    try {
      if (typeof content === 'function') await content(file);
      else await file.writeFile(content);
      if (before) await keepRights(file, before);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

async function keepRights(file: FileHandle, { uid, gid, mode }: Stats): Promise<void> {
  const now = await file.stat();
  if (now.uid !== uid || now.gid !== gid) await file.chown(uid, gid).catch(() => undefined); // only root may give a file away
  await file.chmod(mode & 0o777);
}

/** Makes the new name survive a power cut, on systems that can do so. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

async function statusOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
}

/** Errors of `content` itself, which do not concern the file system, stay as they are. */
async function orIoError(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const isOfSystem = (error as NodeJS.ErrnoException | undefined)?.syscall !== undefined;
    throw isOfSystem ? ioError(error, 'write', path) : error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
