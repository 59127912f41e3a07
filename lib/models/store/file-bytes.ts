/** Whether files are there, and how much room they take. */
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { ioError } from '../../files/io-error.js';
import { allParts } from '../names/split-name.js';

/** Nothing of that name, or a file where a folder should be on the way to it. */
export function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Throws io where it cannot be seen. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isAbsent(error)) return false;
    throw ioError(error, 'look at', path);
  }
}

/** Of a model: a folder, a file, or the first of a split one, which stands for all. */
export async function modelBytes(path: string): Promise<number> {
  let sum = 0;
  for (const part of allParts(path)) sum += await bytesOf(part);
  return sum;
}

/** Of a file, or of all files below a folder; links count as themselves, and what has just gone as nothing. */
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
