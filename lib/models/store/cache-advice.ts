/** What cannot be read or written in the cache folder: how to choose another one. */
import { CachalotError } from '../../errors.js';
import { CACHE_SETTINGS } from './cache-folder.js';

/** What another folder helps with: no permission, no room, no such place. */
const OF_PLACES = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOSPC',
  'EDQUOT',
  'ENOENT',
  'ENOTDIR',
  'EEXIST',
  'ENAMETOOLONG',
]);

/** What was thrown, with what to do if it is of files in `folder`, which may throw itself. */
export function withCacheAdvice(error: unknown, folder: () => string): unknown {
  if (!(error instanceof CachalotError) || error.code !== 'io') return error;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  if (code === undefined || !OF_PLACES.has(code) || !error.message.includes(folder())) return error;
  const advice = `${CACHE_SETTINGS} names another folder`;
  return new CachalotError('io', `${error.message}; ${advice}`, { cause: error.cause });
}
