/** Where answers can go that is no file: a pipe such as the shell's `>(command)`, or a device. */
import { closeSync, constants, openSync, statSync } from 'node:fs';

import { notAFile } from '../files/regular-file.js';

/** Undefined for a file, there or not yet. Throws io for what can take no answers, or the system's own error. */
export function openForAnswers(path: string): number | undefined {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status || status.isFile()) return undefined;
  if (status.isCharacterDevice()) return openSync(path, constants.O_WRONLY | constants.O_APPEND);
  if (!status.isFIFO()) throw notAFile('write', path, status);
  // Opening a pipe waits for its reader. This fails if there is none (ENXIO); with one, the second does not wait.
  const probe = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    return openSync(path, constants.O_WRONLY);
  } finally {
    closeSync(probe);
  }
}
