/** Files for their owner alone: how we make them, and whether one that we find can have been written by somebody else. */
import type { Stats } from 'node:fs';

import { makeFolders } from './make-folders.js';

/** Modes of what we make: models, answers and conversations are nobody else's business. */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

/** Makes a folder and those above it that are missing, for their owner alone; what is there stays as it is. Throws io. */
export async function makePrivateFolder(path: string): Promise<void> {
  await makeFolders(path, PRIVATE_FOLDER);
}

const OTHERS_WRITE = 0o022;

/**
 * Whether nobody but us and root can have written it: it belongs to one of the two, and neither its group nor others may write to it.
 * Windows has no such bits: there the user's own folders are closed to others by default.
 */
export function isOnlyOurs({ uid, mode }: Pick<Stats, 'uid' | 'mode'>): boolean {
  const us = process.geteuid?.();
  return us === undefined || ((uid === us || uid === 0) && (mode & OTHERS_WRITE) === 0);
}
