/** The models in the cache folder: which there are, and how to be rid of one. */
import { existsSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';

import { CachalotError } from '../errors.js';
import { ALIASES } from './aliases.js';
import { aliasPath, modelsFolder } from './cache-folder.js';
import { bytesOf } from './file-bytes.js';
import { COMPLETE } from './hub-folder.js';

export interface InstalledModel {
  /** An alias, "hf:...", or a path: what `Engine.load` and `cachalot run -m` take. */
  name: string;
  path: string;
  bytes: number;
  /** A download that was interrupted; the same `pull` resumes it. */
  isPartial: boolean;
}

/** What downloads leave beside a file while they are at it. */
const WORK_FILE = /\.(part|joined|fetched|converted|tarballs)$/;
const NO_MODEL = /\.(lock|etag)$/;

export async function installedModels(): Promise<InstalledModel[]> {
  const found: InstalledModel[] = [];
  for (const alias of Object.keys(ALIASES)) {
    const path = aliasPath(alias);
    if (existsSync(path))
      found.push({ name: alias, path, bytes: await bytesOf(path), isPartial: false });
  }
  await walk(modelsFolder(), found);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Folders that are one model, files that are one, and what is left of downloads. */
async function walk(folder: string, found: InstalledModel[]): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    const add = async (isPartial: boolean) =>
      found.push({ name: nameOf(path), path, bytes: await bytesOf(path), isPartial });
    if (found.some((model) => model.path === path) || NO_MODEL.test(entry.name)) continue;
    if (WORK_FILE.test(entry.name)) await add(true);
    else if (!entry.isDirectory()) await add(false);
    else if (existsSync(join(path, COMPLETE))) await add(false);
    else if (existsSync(join(path, 'config.json'))) await add(true);
    else await walk(path, found);
  }
}

function nameOf(path: string): string {
  const [first, ...rest] = relative(modelsFolder(), path).split(sep);
  return first === 'hf' ? `hf:${rest.join('/')}` : path;
}

/** Deletes models by their names or paths: all, or with model_not_found none. Returns what was freed. */
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
    await rm(path, { recursive: true, force: true });
    await rm(`${path}.etag`, { force: true });
    await removeEmptyParents(dirname(path));
  }
  return models;
}

async function removeEmptyParents(folder: string): Promise<void> {
  if (folder === modelsFolder() || basename(folder) === '' || !folder.startsWith(modelsFolder()))
    return;
  const isGone = await rmdir(folder).then(
    () => true,
    () => false, // something else is in there
  );
  if (isGone) await removeEmptyParents(dirname(folder));
}
