/** Finds models that are on this machine: in our cache folder, or in that of the hub's own tools. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { HubSource, Source } from './names/source.js';
import { partsOf } from './names/split-name.js';
import { findInHubCache, ggufBelow } from './sources/hub-cache.js';
import { matching, modelsAmong } from './sources/hub-list.js';
import { npmFiles } from './sources/npm.js';
import { COMPLETE, repositoryFolder, sourcePath } from './store/cache-folder.js';
import { bytesOf, isFile } from './store/file-bytes.js';

export interface LocalModel {
  /** For a split file the first part. */
  path: string;
  bytes: number;
}

/** Undefined unless every file of the model is there. Needs no network. */
export async function findLocal(
  source: Source,
  cacheDir?: string,
): Promise<LocalModel | undefined> {
  if (source.kind !== 'hf') return findAt(source, sourcePath(source, cacheDir));
  const named = await withLocalFile(source, cacheDir);
  const isWhich = named.quantization === undefined;
  const there = isWhich && (await findAt(named, sourcePath(named, cacheDir)));
  return there || findInHubCache(source);
}

/** The same for a model that would lie at `path`. */
export async function findAt(source: Source, path: string): Promise<LocalModel | undefined> {
  if (source.kind === 'hf' && source.file === undefined) {
    const isThere = await isFile(join(path, COMPLETE));
    return isThere ? { path, bytes: await bytesOf(path) } : undefined;
  }
  const files = source.kind === 'npm' ? npmFiles(source.parts, path) : partsOf(path);
  for (const file of files) if (!(await isFile(file))) return undefined;
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return { path: files[0]!, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** A short name means the GGUF file that an earlier pull of it fetched. */
async function withLocalFile(source: HubSource, cacheDir?: string): Promise<HubSource> {
  const { quantization, ...whole } = source;
  if (quantization === undefined) return source;
  const files = await ggufBelow(repositoryFolder(source, cacheDir));
  const there = matching(modelsAmong(files), quantization);
  return there.length === 1 ? { ...whole, file: there[0]!.path } : source;
}
