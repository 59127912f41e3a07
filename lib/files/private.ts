/** Files for their owner alone: how we make them, and whether others can have written a file that we find. */
import type { Stats } from 'node:fs';

import { makeFolders } from './make-folders.js';

/** Modes of the files and folders that we make: models, answers and conversations are private. */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

/** Makes a folder and its missing parents, for their owner alone; existing folders stay as they are. Throws io. */
export async function makePrivateFolder(path: string): Promise<void> {
  await makeFolders(path, PRIVATE_FOLDER);
}

const OTHERS_WRITE = 0o022;

/**
 * Whether only we and root can have written it: it belongs to one of the two, and neither its group nor others may write to it.
 * Windows has no such bits; there the user's own folders are closed to others by default.
 */
export function isOnlyOurs({ uid, mode }: Pick<Stats, 'uid' | 'mode'>): boolean {
  const us = process.geteuid?.();
  return us === undefined || ((uid === us || uid === 0) && (mode & OTHERS_WRITE) === 0);
}
