/** Opens an output for answers that is not a file: a pipe such as the shell's `>(command)`, or a device. */
import { closeSync, constants, openSync, statSync } from 'node:fs';

import { notAFile } from '../files/regular-file.js';

/** Undefined for a file, existing or not. Throws io for something that cannot be written to, or the system's own error. */
export function openForAnswers(path: string): number | undefined {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status || status.isFile()) return undefined;
  if (status.isCharacterDevice()) return openSync(path, constants.O_WRONLY | constants.O_APPEND);
  if (!status.isFIFO()) throw notAFile('write', path, status);
  // Opening a pipe waits for its reader. This call fails if there is none (ENXIO); if there is one, the second call does not wait.
  const probe = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    return openSync(path, constants.O_WRONLY);
  } finally {
    closeSync(probe);
  }
}
