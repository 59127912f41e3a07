/** Deletes a file or a folder with its contents, if it exists. */
import { rm } from 'node:fs/promises';

import { ioError } from './io-error.js';

/** Throws io with the path. */
export async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch((error: unknown) => {
    throw ioError(error, 'delete', path);
  });
}
