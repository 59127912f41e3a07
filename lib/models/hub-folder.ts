/** A whole model from the hub: configuration, tokenizer, and safetensors in one file or in the shards of an index. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { CachalotError } from '../errors.js';
import { fetchHub } from './hub-source.js';
import type { HubSource } from './hub-source.js';
import { exclusively } from '../files/exclusively.js';
import type { PullOptions } from './pull.js';

const NEEDED = ['config.json', 'tokenizer.json'];
const OPTIONAL = ['tokenizer_config.json', 'generation_config.json', 'chat_template.jinja'];
const INDEX = 'model.safetensors.index.json';

/** Stands in a folder of which every file is there. */
export const COMPLETE = '.complete';

/** Files that are there already are kept: an interrupted pull goes on with the one it was at. */
export async function fetchHubFolder(
  source: HubSource,
  folder: string,
  { signal, onProgress }: PullOptions,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  let [part, parts] = [0, 1];
  const fetch = async (file: string, ifPresent = false): Promise<boolean> => {
    const path = join(folder, file);
    const progress = (receivedBytes: number, totalBytes: number | undefined) =>
      onProgress?.({ phase: 'download', part, parts, receivedBytes, totalBytes });
    // Somebody may be fetching this file alone.
    return exclusively(path, signal, async () => {
      if (existsSync(path)) return true;
      return fetchHub({ ...source, file }, path, { signal, onProgress: progress }, ifPresent);
    });
  };
  for (const file of NEEDED) {
    await fetch(file);
    await readJson(join(folder, file));
  }
  for (const file of OPTIONAL) await fetch(file, true);
  const hasIndex = await fetch(INDEX, true);
  const weights = hasIndex ? await shardsOf(join(folder, INDEX)) : ['model.safetensors'];
  parts = weights.length;
  for (const file of weights) {
    await fetch(file);
    part++;
  }
  await writeFile(join(folder, COMPLETE), '');
}

/** A proxy may answer with a page of its own: what is no JSON is not kept. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    await rm(path, { force: true });
    throw new CachalotError('download_corrupt', `'${path}' was no JSON; it was deleted`, {
      cause: error,
    });
  }
}

async function shardsOf(index: string): Promise<string[]> {
  const map = ((await readJson(index)) as { weight_map?: unknown } | null)?.weight_map;
  const names = typeof map === 'object' && map !== null ? [...new Set(Object.values(map))] : [];
  // A plain name: nothing outside of the folder is written.
  const isPlain = (name: unknown) =>
    typeof name === 'string' && /^\w[\w.-]*\.safetensors$/.test(name);
  if (names.length === 0 || !names.every(isPlain)) {
    await rm(index, { force: true });
    throw new CachalotError(
      'download_corrupt',
      `'${index}' was no index of safetensors files; it was deleted`,
    );
  }
  return names as string[];
}
