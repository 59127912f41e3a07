/** Adds to errors of the cache folder how to choose another one. */
import { CachalotError } from '../../errors.js';
import { CACHE_SETTINGS } from './cache-folder.js';

/** Errors that another folder would avoid: no permission, no room, no such place. */
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

/** The error, with advice if it concerns files in `folder`. Computing `folder` may throw itself. */
export function withCacheAdvice(error: unknown, folder: () => string): unknown {
  if (!(error instanceof CachalotError) || error.code !== 'io') return error;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  if (code === undefined || !OF_PLACES.has(code) || !error.message.includes(folder())) return error;
  const advice = `${CACHE_SETTINGS} names another folder`;
  return new CachalotError('io', `${error.message}; ${advice}`, { cause: error.cause });
}
