/** The models in the cache folder: lists and deletes them. */
import type { Dirent } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';

import { CachalotError } from '../../errors.js';
import { ioError } from '../../files/io-error.js';
import { remove } from '../../files/remove.js';
import { ALIASES } from '../names/aliases.js';
import { partPath, partsOf, splitName } from '../names/split-name.js';
import { COMPLETE, aliasPath, modelsFolder } from './cache-folder.js';
import { bytesOf, isAbsent, isFile } from './file-bytes.js';

export interface InstalledModel {
  /** An alias, "hf:...", or a path: what `Engine.load` and `cachalot run -m` take. */
  name: string;
  /** Of a split file the first part. */
  path: string;
  bytes: number;
  /** An interrupted download; the same `pull` resumes it. */
  isPartial: boolean;
}

/** Endings of files that downloads keep beside a file while they run. */
const WORK_FILE = /\.(part|joined|fetched|converted|tarballs)$|~(fresh|old)$/;
const NO_MODEL = /\.(lock|etag)$/;

export async function installedModels(): Promise<InstalledModel[]> {
  const found: InstalledModel[] = [];
  for (const alias of Object.keys(ALIASES)) {
    const path = aliasPath(alias);
    if (await isFile(path))
      found.push({ name: alias, path, bytes: await bytesOf(path), isPartial: false });
  }
  await walk(modelsFolder(), found);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Models of several kinds: folders, single files, split files, and what is left of downloads. */
async function walk(folder: string, found: InstalledModel[]): Promise<void> {
  const entries = await entriesOf(folder);
  const names = new Set(entries.map(({ name }) => name));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    const add = async (isPartial: boolean) =>
      found.push({ name: nameOf(path), path, bytes: await bytesOf(path), isPartial });
    if (found.some((model) => model.path === path) || NO_MODEL.test(entry.name)) continue;
    if (WORK_FILE.test(entry.name)) await add(true);
    else if (!entry.isDirectory() && splitName(entry.name)) await addSplit(path, names, found);
    else if (!entry.isDirectory()) await add(false);
    else if (await isFile(join(path, COMPLETE))) await add(false);
    else if (await isFile(join(path, 'config.json'))) await add(true);
    else await walk(path, found);
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isAbsent(error)) return [];
    throw ioError(error, 'list', folder);
  });
}

/** One model for all parts, named by the first part that is there. */
async function addSplit(
  part: string,
  names: ReadonlySet<string>,
  found: InstalledModel[],
): Promise<void> {
  const path = firstPart(part);
  if (found.some((model) => model.path === path)) return;
  const parts = partsOf(path);
  let bytes = 0;
  for (const each of parts) bytes += await bytesOf(each);
  const isPartial = !parts.every((each) => names.has(basename(each)));
  found.push({ name: nameOf(path), path, bytes, isPartial });
}

function firstPart(path: string): string {
  const split = splitName(path);
  return split ? partPath(split, 1) : path;
}

function nameOf(path: string): string {
  const [first, ...rest] = relative(modelsFolder(), path).split(sep);
  return first === 'hf' ? `hf:${rest.join('/')}` : path;
}

/** Deletes models by their names or paths: all of them or, with model_not_found, none. Returns the bytes freed. */
export async function removeModels(names: readonly string[]): Promise<InstalledModel[]> {
  const there = await installedModels();
  const models = names.map((name) => {
    const model = there.find((each) => each.name === name || each.path === name);
    if (model) return model;
    throw new CachalotError(
      'model_not_found',
      `there is no model '${name}' in ${modelsFolder()}; \`cachalot models\` lists what is there`,
    );
  });
  for (const { path } of models) {
    for (const file of partsOf(path)) {
      await remove(file);
      await remove(`${file}.etag`);
    }
    await removeEmptyParents(dirname(path));
  }
  return models;
}

async function removeEmptyParents(folder: string): Promise<void> {
  if (folder === modelsFolder() || basename(folder) === '' || !folder.startsWith(modelsFolder()))
    return;
  const isGone = await rmdir(folder).then(
    () => true,
    () => false, // the folder contains other files
  );
  if (isGone) await removeEmptyParents(dirname(folder));
}
