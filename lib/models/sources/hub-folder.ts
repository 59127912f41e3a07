/** Fetches a whole model from the hub: configuration, tokenizer, and safetensors in one file or in the shards of an index. */
import { join } from 'node:path';

import { CachalotError, abortError } from '../../errors.js';
import { exclusively } from '../../files/exclusively.js';
import { makePrivateFolder } from '../../files/private.js';
import { readTextFile } from '../../files/regular-file.js';
import { remove } from '../../files/remove.js';
import { writeOwn } from '../../files/write-whole.js';
import { parseJson } from '../../text/parse-json.js';
import type { HubSource } from '../names/source.js';
import { COMPLETE } from '../store/cache-folder.js';
import { isFile } from '../store/file-bytes.js';
import { hubName } from './hub.js';
import { fetchHub } from './hub-file.js';
import { describeFiles, listGguf } from './hub-list.js';
import { whileWaiting } from './pull-options.js';
import type { FetchOptions } from './pull-options.js';

export const NEEDED = ['config.json', 'tokenizer.json'];
const OPTIONAL = ['tokenizer_config.json', 'generation_config.json', 'chat_template.jinja'];
export const INDEX = 'model.safetensors.index.json';

/** Files that exist are kept: an interrupted pull continues with the file that it was fetching. */
export async function fetchHubFolder(
  source: HubSource,
  folder: string,
  { signal, limits, onProgress }: FetchOptions,
): Promise<void> {
  await makePrivateFolder(folder);
  let [part, parts] = [0, 1];
  const fetched: string[] = [];
  const fetch = async (file: string): Promise<boolean> => {
    const path = join(folder, file);
    const progress = (receivedBytes: number, totalBytes: number | undefined) =>
      onProgress?.({ phase: 'download', part, parts, receivedBytes, totalBytes });
    // Another process may be fetching this file alone.
    const once = async (held: AbortSignal) => {
      if (await isFile(path)) return true;
      const net = { signal: held, limits, onProgress: progress };
      const isThere = await fetchHub({ ...source, file }, path, net);
      if (isThere) fetched.push(path);
      return isThere;
    };
    return exclusively(path, signal, once, whileWaiting({ onProgress }));
  };
  const need = async (file: string) => {
    if (await fetch(file)) return;
    throw await missing(source, file, fetched, { signal, limits });
  };
  for (const file of NEEDED) await need(file);
  for (const file of OPTIONAL) await fetch(file);
  const weights = (await fetch(INDEX)) ? await shardsOf(join(folder, INDEX)) : [SINGLE];
  parts = weights.length;
  for (const file of weights) {
    await need(file);
    part++;
  }
  await writeOwn(join(folder, COMPLETE), '');
}

const SINGLE = 'model.safetensors';

/** A repository without the files of a folder may have GGUF files instead. The error names them, and the fetched files are deleted. */
async function missing(
  source: HubSource,
  file: string,
  fetched: readonly string[],
  options: FetchOptions,
): Promise<CachalotError> {
  const name = hubName(source);
  let cause: unknown;
  const files = await listGguf(source, options).catch((error: unknown) => {
    cause = error;
    return [];
  });
  if (options.signal?.aborted) throw abortError(options.signal);
  if (files.length === 0)
    return new CachalotError(
      'download_failed',
      `${name} has no file '${file}', which a model of safetensors needs: is the name right?`,
      { cause },
    );
  for (const path of fetched) await remove(path);
  return new CachalotError(
    'model_not_found',
    `${name} has GGUF files and no '${file}'; say which: ${describeFiles(source, files)}`,
  );
}

/** The files that an index names. Throws download_corrupt, and deletes the index, if it is invalid. */
export async function shardsOf(index: string): Promise<string[]> {
  const names = shardNames(await readTextFile(index));
  if (names) return names;
  await remove(index);
  throw new CachalotError(
    'download_corrupt',
    `'${index}' was no index of safetensors files; it was deleted`,
  );
}

/** Undefined if the text is not an index, or names a file outside the folder. */
export function shardNames(text: string): string[] | undefined {
  let map: unknown;
  try {
    const index = parseJson(text, 'the index', 'download_corrupt');
    map = (index as { weight_map?: unknown } | null)?.weight_map;
  } catch {
    return undefined;
  }
  const names = typeof map === 'object' && map !== null ? [...new Set(Object.values(map))] : [];
  const isPlain = (name: unknown) =>
    typeof name === 'string' && /^\w[\w.-]*\.safetensors$/.test(name);
  return names.length > 0 && names.every(isPlain) ? (names as string[]) : undefined;
}
