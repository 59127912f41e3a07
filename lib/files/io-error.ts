/** Turns an error of the file system into one that names the file, the reason in words, and what to do. */
import { CachalotError } from '../errors.js';

/** Reasons in words, by the system's code; other codes keep the system's own message. */
const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'the system does not permit it',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than the file system or a limit allows',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of its path is a file, not a folder',
  EISDIR: 'it is a folder',
  EEXIST: 'there is something of that name already',
  ENOTEMPTY: 'the folder is not empty',
  ENAMETOOLONG: 'the name is too long for the file system',
  ELOOP: 'too many links point to one another',
  EMFILE: 'this process has too many open files',
  ENFILE: 'the system has too many open files',
  ENXIO: 'there is nobody at the other end of the pipe or socket',
  EXDEV: 'it would move to another file system',
  EIO: 'the device failed',
  ETXTBSY: 'it is a program that is running',
};

/** `doing` completes "cannot ...": 'read', 'write', 'make the folder'. Our own errors, aborts included, stay as they are. */
export function ioError(error: unknown, doing: string, path: string): CachalotError {
  if (error instanceof CachalotError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = (code !== undefined && REASONS[code]) || message || String(error);
  return new CachalotError('io', `cannot ${doing} '${path}': ${reason}`, { cause: error });
}
