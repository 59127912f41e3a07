/**
 * Reads regular files only. A pipe without a writer would block its reader, and with it one of the few threads for Node's
 * file work, forever; a device may never end. Both are refused by their type, and files that are too large by their size.
 */
import { constants as limits } from 'node:buffer';
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { CachalotError } from '../errors.js';
import { ioError } from './io-error.js';
import { isOnlyOurs } from './private.js';

const CHUNK_BYTES = 1 << 20;

/** The longest string. */
export const TEXT_BYTES = limits.MAX_STRING_LENGTH;

/** The type of a file that is not a regular file, in words. */
export function kindOf(status: Pick<Stats, 'isDirectory' | 'isFIFO' | 'isSocket'>): string {
  if (status.isDirectory()) return 'a folder';
  if (status.isFIFO()) return 'a pipe';
  return status.isSocket() ? 'a socket' : 'a device';
}

export function notAFile(
  doing: string,
  path: string,
  status: Parameters<typeof kindOf>[0],
): CachalotError {
  return new CachalotError('io', `cannot ${doing} '${path}': it is ${kindOf(status)}, not a file`);
}

/** Opens a file for reading without blocking. Throws io, also if it is not a regular file. */
export async function openRegular(path: string, flags = 0): Promise<FileHandle> {
  try {
    const before = await stat(path); // opening a device can have effects
    if (!before.isFile()) throw notAFile('read', path, before);
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | flags);
    const status = await file.stat();
    if (status.isFile()) return file;
    await file.close();
    throw notAFile('read', path, status); // it was replaced between the two calls
  } catch (error) {
    throw ioError(error, 'read', path);
  }
}

/** All bytes of a file. Throws io, also if it is not a regular file or has more than `maxBytes`. */
export async function readRegular(path: string, maxBytes: number): Promise<Buffer> {
  return readAll(await openRegular(path), path, maxBytes);
}

/** As UTF-8. */
export async function readTextFile(path: string, maxBytes = TEXT_BYTES): Promise<string> {
  return (await readRegular(path, maxBytes)).toString('utf8');
}

/** Undefined if there is no such file. */
export async function readTextIfPresent(
  path: string,
  maxBytes = TEXT_BYTES,
): Promise<string | undefined> {
  return readTextFile(path, maxBytes).catch((error: unknown) => {
    const cause = (error as CachalotError).cause as NodeJS.ErrnoException | undefined;
    if (cause?.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** The text of a file that only we, or root, can have written; undefined if others can have written it, or if it does not exist. */
export async function readOwnText(path: string, maxBytes: number): Promise<string | undefined> {
  try {
    const file = await openRegular(path, constants.O_NOFOLLOW ?? 0);
    if (isOnlyOurs(await file.stat()))
      return (await readAll(file, path, maxBytes)).toString('utf8');
    await file.close();
    return undefined;
  } catch {
    return undefined;
  }
}

/** Reads up to the end, whatever size the system reports; closes the file. */
async function readAll(file: FileHandle, path: string, maxBytes: number): Promise<Buffer> {
  try {
    const { size } = await file.stat();
    const chunks: Buffer[] = [];
    for (let bytes = 0; ;) {
      if (Math.max(size, bytes) > maxBytes) throw tooLarge(path, maxBytes);
      const chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, size - bytes + 1));
      const { bytesRead } = await file.read(chunk, 0, chunk.length);
      if (bytesRead === 0) return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } catch (error) {
    throw ioError(error, 'read', path);
  } finally {
    await file.close();
  }
}

export function tooLarge(path: string, maxBytes: number): CachalotError {
  return new CachalotError(
    'io',
    `cannot read '${path}': it has more than the ${maxBytes} bytes that such a file may have`,
  );
}
