/**
 * The header of a GGUF file that lies elsewhere, without the rest: as much of its beginning is fetched as the header needs, and a
 * local file of the whole size, otherwise empty, is read by the same code as any other.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CachalotError, abortError, fromNative } from '../errors.js';
import { native } from '../native.js';
import { LONGEST_LIST } from './model-info.js';
import type { GgufInfo } from '../native.js';

const FIRST_BYTES = 1 << 20;
const MOST_BYTES = 256 << 20;
const LARGEST_FILE = 2 ** 44;

/** Throws download_failed, aborted, or what reading the file would. */
export async function readRemoteHeader(
  url: string,
  headers: Record<string, string>,
  signal?: AbortSignal,
): Promise<{ info: GgufInfo; fileBytes: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'cachalot-header-'));
  const path = join(folder, 'header.gguf');
  try {
    for (let bytes = FIRST_BYTES; ; bytes *= 4) {
      const { data, total } = await fetchBeginning(url, headers, bytes, signal);
      const info = await tryRead(path, data, total);
      if (!(info instanceof CachalotError) && info.dataOffset <= data.length)
        return { info, fileBytes: total };
      // What follows the part that we have are zeros: an error, or a longer header, may come from them.
      const isAll = data.length === total || data.length < bytes || 4 * bytes > MOST_BYTES;
      if (!isAll) continue;
      if (info instanceof CachalotError) throw info;
      throw new CachalotError(
        'file_truncated',
        `the header of ${url} is longer than the ${data.length} bytes that there are of it`,
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function tryRead(
  path: string,
  data: Uint8Array,
  total: number,
): Promise<GgufInfo | CachalotError> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(data);
    await file.truncate(total); // a hole: it takes no room
  } finally {
    await file.close();
  }
  return native().readGguf(path, { longestList: LONGEST_LIST, alone: true }).catch(fromNative);
}

async function fetchBeginning(
  url: string,
  headers: Record<string, string>,
  bytes: number,
  signal: AbortSignal | undefined,
): Promise<{ data: Uint8Array; total: number }> {
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { ...headers, range: `bytes=0-${bytes - 1}`, 'accept-encoding': 'identity' },
      signal: signal ?? null,
    });
    if (response.status === 206) {
      const total = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]);
      const data = await readAtMost(response, bytes);
      if (total <= LARGEST_FILE && data.length <= total) return { data, total };
    }
  } catch (error) {
    if (signal?.aborted) throw abortError(signal);
    const why = (error as Error).message;
    throw new CachalotError('download_failed', `cannot reach ${url}: ${why}`, { cause: error });
  }
  await response.body?.cancel().catch(() => undefined);
  const why = response.ok
    ? 'it does not serve parts of files; pull the model first'
    : `the server answered ${response.status} ${response.statusText}`;
  throw new CachalotError('download_failed', `cannot read the beginning of ${url}: ${why}`);
}

/** A server may send more than it was asked for. */
async function readAtMost(response: Response, bytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= bytes) break; // which cancels the rest
  }
  return Buffer.concat(chunks).subarray(0, bytes);
}
