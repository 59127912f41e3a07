/** Folders with those above them, one by one: Node's own recursive mkdir never ends where a parent is there but takes none (`/proc`). */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { ioError } from './io-error.js';

/** Makes a folder and those above it that are missing, with `mode`; what is there stays as it is. Throws io. */
export async function makeFolders(path: string, mode?: number): Promise<void> {
  const missing: string[] = [];
  let folder = path;
  try {
    for (let why = await make(folder, mode); why !== undefined; why = await make(folder, mode)) {
      const above = dirname(folder);
      if (above === folder) throw why; // a drive that is not there
      missing.push(folder);
      folder = above;
    }
    for (const below of missing.reverse()) {
      const why = await make(below, mode);
      if (why !== undefined) throw why; // once is enough: what is above it is there
    }
  } catch (error) {
    throw ioError(error, 'make the folder', path);
  }
}

/** One folder. The error if what is above it seems to be missing; throws any other. */
async function make(folder: string, mode: number | undefined): Promise<Error | undefined> {
  try {
    await mkdir(folder, { mode });
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return error as Error;
    // Some systems say EROFS, EACCES or EISDIR of a folder that is there.
    if (await isFolder(folder)) return undefined;
    throw error;
  }
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}
