/** How much room files take. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { splitParts } from './split-parts.js';

/** Of a model: a folder, a file, or the first of a split one, which stands for all. */
export async function modelBytes(path: string): Promise<number> {
  let sum = 0;
  for (const part of splitParts(path)) sum += await bytesOf(part);
  return sum;
}

/** Of a file, or of all files below a folder; links count as themselves, and what has just gone as nothing. */
export async function bytesOf(path: string): Promise<number> {
  const status = await lstat(path).catch(() => undefined);
  if (!status?.isDirectory()) return status?.size ?? 0;
  let sum = 0;
  for (const name of await readdir(path).catch(() => [])) sum += await bytesOf(join(path, name));
  return sum;
}
