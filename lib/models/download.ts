/** One file over HTTP: into FILE.part, resumed where an earlier try ended, checked, then renamed. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { CachalotError, abortError } from '../errors.js';

export interface Download {
  url: string;
  file: string;
  /** Checked when known. */
  bytes?: number;
  hash?: { algorithm: 'sha256' | 'sha512'; digest: string; encoding: 'hex' | 'base64' };
  signal?: AbortSignal | undefined;
  onProgress?: (receivedBytes: number, totalBytes: number | undefined) => void;
}

const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 250;

/** Throws download_failed, download_corrupt or aborted; after the first and the last, a second call resumes. */
export async function download(job: Download): Promise<void> {
  await mkdir(dirname(job.file), { recursive: true });
  for (let attempt = 1; ; attempt++) {
    try {
      await fetchRest(job);
      break;
    } catch (error) {
      if (job.signal?.aborted) throw abortError(job.signal);
      if (error instanceof CachalotError || attempt === ATTEMPTS) throw failed(job, error);
      await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), undefined, { signal: job.signal }).catch(
        () => undefined,
      );
    }
  }
  await verify(job);
  await rename(partOf(job), job.file);
  await rm(tagOf(job), { force: true });
}

const partOf = (job: Download) => `${job.file}.part`;
const tagOf = (job: Download) => `${job.file}.part.etag`;

function failed(job: Download, error: unknown): CachalotError {
  if (error instanceof CachalotError) return error;
  const { message, cause } = error as Error;
  const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
  return new CachalotError(
    'download_failed',
    `cannot download ${job.url}: ${why}; run the same command again to resume`,
    { cause: error },
  );
}

async function fetchRest(job: Download): Promise<void> {
  let received = await sizeOf(partOf(job));
  const tag = await readFile(tagOf(job), 'utf8').catch(() => undefined);
  if (received > 0 && received === job.bytes) return;
  const headers: Record<string, string> = {};
  if (received > 0) headers['range'] = `bytes=${received}-`;
  if (received > 0 && tag) headers['if-range'] = tag; // a file that has changed is sent whole
  const response = await fetch(job.url, { headers, signal: job.signal ?? null });
  if (response.status === 416 && received > 0) {
    await response.body?.cancel();
    return; // it was complete already; `verify` decides
  }
  if (!response.ok || !response.body) throw httpError(job, response);
  if (response.status !== 206) received = 0;
  const etag = response.headers.get('etag');
  if (etag && !etag.startsWith('W/')) await writeFile(tagOf(job), etag);
  const length = response.headers.get('content-length');
  const total = job.bytes ?? (length === null ? undefined : received + Number(length));
  const file = await open(partOf(job), received > 0 ? 'a' : 'w');
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      await file.write(chunk);
      received += chunk.length;
      job.onProgress?.(received, total);
    }
  } finally {
    await file.close();
  }
  if (total !== undefined && received < total)
    throw new Error(`the connection ended after ${received} of ${total} bytes`);
}

/** A refusal is final; trouble on the other side is worth another try. */
function httpError(job: Download, response: Response): Error {
  const message = `cannot download ${job.url}: the server answered ${response.status} ${response.statusText}`;
  return response.status >= 500 || response.status === 429
    ? new Error(message)
    : new CachalotError('download_failed', message);
}

async function verify(job: Download): Promise<void> {
  const size = await sizeOf(partOf(job));
  let problem =
    job.bytes !== undefined && size !== job.bytes
      ? `it has ${size} bytes, not ${job.bytes}`
      : undefined;
  if (!problem && job.hash) {
    const digest = await hashFile(partOf(job), job.hash.algorithm, job.hash.encoding, job.signal);
    if (digest !== job.hash.digest)
      problem = `its ${job.hash.algorithm} is ${digest}, not ${job.hash.digest}`;
  }
  if (!problem) return;
  await rm(partOf(job), { force: true });
  await rm(tagOf(job), { force: true });
  throw new CachalotError(
    'download_corrupt',
    `${job.url} is not the expected file: ${problem}; it was deleted`,
  );
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    (info) => info.size,
    () => 0,
  );
}

export async function hashFile(
  file: string,
  algorithm: 'sha256' | 'sha512',
  encoding: 'hex' | 'base64',
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(file, {
    highWaterMark: 1 << 20,
    signal: signal as AbortSignal,
  }))
    hash.update(chunk as Buffer);
  return hash.digest(encoding);
}
