/** Models by name: looks for a model in the cache, fetches it if it is not there, and checks it. */
import { existsSync } from 'node:fs';

import { checkOptions, isBoolean, isFunction, isPath, isSignal } from '../checks/check-options.js';
import { CachalotError, abortError } from '../errors.js';
import { exclusively } from '../files/exclusively.js';
import { shown } from '../net/send.js';
import { fetchAlias, fetchSource } from './fetch-source.js';
import { findAt, findLocal } from './find-local.js';
import { ALIASES } from './names/aliases.js';
import { isSource, parseSource } from './names/source.js';
import type { Source } from './names/source.js';
import { partsOf } from './names/split-name.js';
import { checkOnline, hubCacheFolder } from './sources/hub.js';
import { pickGguf } from './sources/hub-list.js';
import { whileWaiting } from './sources/pull-options.js';
import type { FetchOptions, PullOptions } from './sources/pull-options.js';
import { withCacheAdvice } from './store/cache-advice.js';
import { aliasPath, cacheFolder, modelsFolder, sourcePath } from './store/cache-folder.js';

export type { PullOptions, PullProgress } from './sources/pull-options.js';

export interface PulledModel {
  /** For a split file the first part; the others lie beside it. */
  path: string;
  bytes: number;
  /** Whether it was in the cache already. */
  cached: boolean;
}

/**
 * Fetches a model into the cache folder, unless it is there: an alias, "hf:owner/repo" (safetensors and the files they need),
 * "hf:owner/repo/file", "hf:owner/repo:Q4_K_M" (a GGUF file by the end of its name), "npm:name@version/path" or
 * "https://host/path/model.gguf". A model in the cache of the hub's own tools is used where it lies.
 *
 * @example
 * const { path } = await pull('stories-15m');
 */
export async function pull(model: string, options: PullOptions = {}): Promise<PulledModel> {
  isPath('model', model);
  const checks = { signal: isSignal, onProgress: isFunction, force: isBoolean, cacheDir: isPath };
  return pullWith(model, checkOptions(options, checks));
}

/** @internal Takes options that are not for users. */
export async function pullWith(model: string, options: FetchOptions): Promise<PulledModel> {
  return pullInto(model, options).catch((error: unknown) => {
    throw withCacheAdvice(error, () => cacheFolder(options.cacheDir));
  });
}

async function pullInto(model: string, options: FetchOptions): Promise<PulledModel> {
  const { signal, force = false, cacheDir } = options;
  if (signal?.aborted) throw abortError(signal);
  const alias = Object.hasOwn(ALIASES, model) ? ALIASES[model] : undefined;
  if (!alias && !isSource(model)) throw unknownModel(model);
  const named = parseSource(alias?.source ?? model);
  checkFirstPart(model, named);
  if (!force) {
    const there = await (alias
      ? findAt(named, aliasPath(model, cacheDir))
      : findLocal(named, cacheDir));
    if (there) return { ...there, cached: true };
  }
  if (named.kind === 'hf') checkOnline(named, [modelsFolder(cacheDir), hubCacheFolder()]);
  const source = await withFile(named, options);
  const place = alias ? aliasPath(model, cacheDir) : sourcePath(source, cacheDir);
  const fetch = async (held: AbortSignal) => {
    if (!force && (await findAt(source, place))) return; // another process was faster
    const how = { ...options, signal: held };
    await (alias ? fetchAlias(model, alias, source, place, how) : fetchSource(source, place, how));
  };
  await exclusively(place, signal, fetch, whileWaiting(options));
  const pulled = await findAt(source, place);
  if (pulled) return { ...pulled, cached: false };
  throw new CachalotError('io', `'${place}' has gone while it was fetched`);
}

/** The path of a model: that of an existing file as given, everything else after a pull. */
export async function resolveModel(model: string, options: PullOptions = {}): Promise<string> {
  isPath('model', model);
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

/** Throws source_invalid, with the name as the user wrote it, for a later part of a split file. */
function checkFirstPart(model: string, source: Source): void {
  if (source.kind === 'https') partsOf(shown(source.url));
  else if (source.kind === 'hf') partsOf(model);
}

async function withFile(source: Source, options: FetchOptions): Promise<Source> {
  if (source.kind !== 'hf' || source.quantization === undefined) return source;
  const { quantization, ...whole } = source;
  return { ...whole, file: await pickGguf({ ...whole, quantization }, options) };
}
