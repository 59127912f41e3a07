/** Writes bytes to an open file: a system may take fewer bytes than it is given at once. */
import type { FileHandle } from 'node:fs/promises';

import { ioError } from './io-error.js';

/** Appends to what was written before. Throws io with the path. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, path: string): Promise<void> {
  try {
    for (let done = 0; done < bytes.length;)
      done += (await file.write(bytes.subarray(done))).bytesWritten;
  } catch (error) {
    throw ioError(error, 'write', path);
  }
}
