/** Whether files exist, and how much space they take. */
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { ioError } from '../../files/io-error.js';
import { allParts } from '../names/split-name.js';

/** Nothing has this name, or a file stands where its path needs a folder. */
export function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Throws io if it cannot be looked up. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isAbsent(error)) return false;
    throw ioError(error, 'look at', path);
  }
}

/** Size of a model: a folder, a file, or the first part of a split file, which stands for all parts. */
export async function modelBytes(path: string): Promise<number> {
  let sum = 0;
  for (const part of allParts(path)) sum += await bytesOf(part);
  return sum;
}

/** Size of a file, or of all files below a folder. Links count as themselves, and files that were just deleted as 0. */
export async function bytesOf(path: string): Promise<number> {
  try {
    const status = await lstat(path);
    if (!status.isDirectory()) return status.size;
    let sum = 0;
    for (const name of await readdir(path)) sum += await bytesOf(join(path, name));
    return sum;
  } catch (error) {
    if (isAbsent(error)) return 0;
    throw ioError(error, 'look at', path);
  }
}
