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
  /** What `Engine.load` and `cachalot run -m` call it. */
  name: string;
  path: string;
  bytes: number;
  /** A download that was interrupted; the same `pull` resumes it. */
  isPartial: boolean;
}

/** What downloads leave beside a file while they are at it. */
const WORK_FILE = /\.(part|part\.etag|joined|lock)$|\.tarballs$/;

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
    if (found.some((model) => model.path === path) || entry.name.endsWith('.lock')) continue;
    if (WORK_FILE.test(entry.name)) await add(true);
    else if (!entry.isDirectory()) await add(false);
    else if (existsSync(join(path, COMPLETE))) await add(false);
    else if (existsSync(join(path, 'config.json'))) await add(true);
    else await walk(path, found);
  }
}

/** "hf:owner/repo/file" for what came from there; else the path within the folder. */
function nameOf(path: string): string {
  const parts = relative(modelsFolder(), path).split(sep);
  return parts[0] === 'hf' ? `hf:${parts.slice(1).join('/')}` : parts.join('/');
}

/** Deletes a model by its name or path. Returns what was freed. Throws model_not_found. */
export async function removeModel(name: string): Promise<InstalledModel> {
  const model = (await installedModels()).find((each) => each.name === name || each.path === name);
  if (!model)
    throw new CachalotError(
      'model_not_found',
      `there is no model '${name}' in ${modelsFolder()}; \`cachalot models\` lists what is there`,
    );
  await rm(model.path, { recursive: true, force: true });
  await removeEmptyParents(dirname(model.path));
  return model;
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
