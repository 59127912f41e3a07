/**
 * The cache of the hub's own tools: models--OWNER--REPO/refs/REVISION holds a commit, and snapshots/COMMIT the files as links.
 * Files there are read in place, and never changed.
 */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { HubSource } from '../names/source.js';
import { partsOf } from '../names/split-name.js';
import { isFile } from '../store/file-bytes.js';
import { hubCacheFolder } from './hub.js';
import { INDEX, NEEDED, shardNames } from './hub-folder.js';
import { matching, modelsAmong } from './hub-list.js';

export interface CachedModel {
  path: string;
  bytes: number;
}

/** Undefined unless every file of the model is there. */
export async function findInHubCache(source: HubSource): Promise<CachedModel | undefined> {
  const snapshot = await snapshotOf(source);
  if (snapshot === undefined) return undefined;
  const files = await filesOf(source, snapshot);
  if (files === undefined) return undefined;
  const paths = files.map((file) => join(snapshot, file));
  for (const path of paths) if (!(await isFile(path))) return undefined;
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  const isFolder = source.file === undefined && source.quantization === undefined;
  return {
    path: isFolder ? snapshot : paths[0]!,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
  };
}

async function snapshotOf({ owner, repo, revision }: HubSource): Promise<string | undefined> {
  const hub = hubCacheFolder();
  if (hub === undefined) return undefined;
  const folder = join(hub, `models--${owner}--${repo}`);
  const commit = await readFile(join(folder, 'refs', revision), 'utf8').then(
    (text) => text.trim(),
    () => revision, // the revision may be a commit itself
  );
  return /^[0-9a-f]{40}$/.test(commit) ? join(folder, 'snapshots', commit) : undefined;
}

async function filesOf(source: HubSource, snapshot: string): Promise<string[] | undefined> {
  if (source.file !== undefined) return partsOf(source.file);
  if (source.quantization !== undefined) {
    const there = await ggufBelow(snapshot);
    const found = matching(modelsAmong(there), source.quantization);
    return found.length === 1 ? partsOf(found[0]!.path) : undefined;
  }
  const index = await readFile(join(snapshot, INDEX), 'utf8').catch(() => undefined);
  const weights = index === undefined ? ['model.safetensors'] : shardNames(index);
  return weights && [...NEEDED, ...weights];
}

/** Paths of GGUF files relative to a folder; empty if there is no such folder. */
export async function ggufBelow(folder: string): Promise<{ path: string }[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names
    .map((name) => ({ path: name.replaceAll('\\', '/') }))
    .filter(({ path }) => /\.gguf$/i.test(path));
}
