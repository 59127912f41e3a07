/** A whole model from the hub: configuration, tokenizer, and safetensors in one file or in the shards of an index. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { CachalotError } from '../errors.js';
import { fetchHub } from './hub-source.js';
import type { HubSource } from './hub-source.js';
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
    if (existsSync(path)) return true;
    return fetchHub(
      { ...source, file },
      path,
      {
        signal,
        onProgress: (receivedBytes, totalBytes) =>
          onProgress?.({ phase: 'download', part, parts, receivedBytes, totalBytes }),
      },
      ifPresent,
    );
  };
  for (const file of NEEDED) await fetch(file);
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

async function shardsOf(index: string): Promise<string[]> {
  let map: unknown;
  try {
    map = (JSON.parse(await readFile(index, 'utf8')) as { weight_map?: unknown }).weight_map;
  } catch {
    map = undefined;
  }
  const names = typeof map === 'object' && map !== null ? [...new Set(Object.values(map))] : [];
  // A plain name: nothing outside of the folder is written.
  const isPlain = (name: unknown) =>
    typeof name === 'string' && /^\w[\w.-]*\.safetensors$/.test(name);
  if (names.length === 0 || !names.every(isPlain))
    throw new CachalotError('download_corrupt', `'${index}' is no index of safetensors files`);
  return names as string[];
}
