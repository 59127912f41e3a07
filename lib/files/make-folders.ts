/** Makes folders one by one: Node's recursive mkdir never ends if a parent exists but allows no folders in it (`/proc`). */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { ioError } from './io-error.js';

/** Makes a folder and its missing parents, with `mode`; existing folders stay as they are. Throws io. */
export async function makeFolders(path: string, mode?: number): Promise<void> {
  const missing: string[] = [];
  let folder = path;
  try {
    for (let why = await make(folder, mode); why !== undefined; why = await make(folder, mode)) {
      const above = dirname(folder);
      if (above === folder) throw why; // the drive does not exist
      missing.push(folder);
      folder = above;
    }
    for (const below of missing.reverse()) {
      const why = await make(below, mode);
      if (why !== undefined) throw why; // one retry is enough: the parent exists
    }
  } catch (error) {
    throw ioError(error, 'make the folder', path);
  }
}

/** Makes one folder. Returns the error if the parent seems to be missing; throws any other. */
async function make(folder: string, mode: number | undefined): Promise<Error | undefined> {
  try {
    await mkdir(folder, { mode });
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return error as Error;
    // Some systems give EROFS, EACCES or EISDIR for a folder that exists.
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
