/**
 * Reads the header of a remote GGUF file without the rest. It fetches as much of the beginning as the header needs, into a
 * local file of the full size that is otherwise empty. The usual code reads that file.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CachalotError, fromNative } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { native } from '../native.js';
import type { GgufInfo } from '../native.js';
import { withRetries } from '../net/retry.js';
import type { NetOptions } from '../net/retry.js';
import { refusal, send, shown } from '../net/send.js';
import type { Answer } from '../net/send.js';
import { LONGEST_LIST } from './formats/model-info.js';

const FIRST_BYTES = 1 << 20;
const MOST_BYTES = 256 << 20;
const LARGEST_FILE = 2 ** 44;

/** Throws download_failed, aborted, io, or the errors of reading the file. */
export async function readRemoteHeader(
  url: string,
  headers: Record<string, string>,
  options: NetOptions = {},
): Promise<{ info: GgufInfo; fileBytes: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'cachalot-header-')).catch((error: unknown) => {
    throw ioError(error, 'make a folder in', tmpdir());
  });
  const path = join(folder, 'header.gguf');
  try {
    for (let bytes = FIRST_BYTES; ; bytes *= 4) {
      const { data, total } = await fetchBeginning(url, headers, bytes, options);
      const info = await tryRead(path, data, total);
      if (!(info instanceof CachalotError) && info.dataOffset <= data.length)
        return { info, fileBytes: total };
      // The bytes after the part that we have are zeros: they may cause an error, or a header that seems longer.
      const isAll = data.length === total || data.length < bytes || 4 * bytes > MOST_BYTES;
      if (!isAll) continue;
      if (info instanceof CachalotError) throw info;
      throw new CachalotError(
        'file_truncated',
        `the header of ${shown(url)} is longer than the ${data.length} bytes that there are of it`,
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
  try {
    const file = await open(path, 'w');
    try {
      await file.writeFile(data);
      await file.truncate(total); // a hole: it takes no room
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError(error, 'write', path);
  }
  return native().readGguf(path, { longestList: LONGEST_LIST, alone: true }).catch(fromNative);
}

async function fetchBeginning(
  url: string,
  headers: Record<string, string>,
  bytes: number,
  options: NetOptions,
): Promise<{ data: Uint8Array; total: number }> {
  const range = `bytes=0-${bytes - 1}`;
  return withRetries(
    `read the beginning of ${shown(url)}`,
    async () => {
      const answer = await send(url, {
        ...options,
        headers: { ...headers, range, 'accept-encoding': 'identity' },
      });
      if (answer.status >= 400) throw await refusal(answer, ': is the name right?');
      const said = answer.headers.get('content-range') ?? '';
      const total = Number(/^bytes 0-\d+\/(\d+)$/.exec(said)?.[1]);
      if (answer.status === 206 && total <= LARGEST_FILE) {
        const data = await readAtMost(answer, bytes);
        if (data.length <= total) return { data, total };
      }
      await answer.cancel();
      throw new CachalotError(
        'download_failed',
        `cannot read the beginning of ${shown(url)}: ${answer.url.host} does not serve the parts of files that it is asked for; pull the model first`,
      );
    },
    options,
  );
}

/** A server may send more than it was asked for. */
async function readAtMost(answer: Answer, bytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= bytes) break; // which cancels the rest
  }
  return Buffer.concat(chunks).subarray(0, bytes);
}
