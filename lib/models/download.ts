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
  headers?: Record<string, string>;
  /** Checked when known. */
  bytes?: number;
  hash?: { algorithm: 'sha256' | 'sha512'; digest: string; encoding: 'hex' | 'base64' };
  signal?: AbortSignal | undefined;
  onProgress?: (receivedBytes: number, totalBytes: number | undefined) => void;
}

const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 250;

/** Another try may help. */
class Interrupted extends Error {}

/** Throws download_failed, download_corrupt or aborted; after the first and the last, a second call resumes. */
export async function download(job: Download): Promise<void> {
  await mkdir(dirname(job.file), { recursive: true });
  for (let attempt = 1; ; attempt++) {
    try {
      await fetchRest(job);
      break;
    } catch (error) {
      if (job.signal?.aborted) throw abortError(job.signal);
      if (!(error instanceof Interrupted)) throw error;
      if (attempt === ATTEMPTS) throw failed(job, error);
      const pause = FIRST_PAUSE_MS * 2 ** (attempt - 1);
      await sleep(pause, undefined, { signal: job.signal }).catch(() => undefined);
    }
  }
  await verify(job);
  await rename(partOf(job), job.file);
  await rm(tagOf(job), { force: true });
}

const partOf = (job: Download) => `${job.file}.part`;
const tagOf = (job: Download) => `${job.file}.part.etag`;

function failed(job: Download, error: Error): CachalotError {
  const message = `cannot download ${job.url}: ${error.message}; run the same command again to resume`;
  return new CachalotError('download_failed', message, { cause: error });
}

async function fetchRest(job: Download): Promise<void> {
  let received = await sizeOf(partOf(job));
  const tag = await readFile(tagOf(job), 'utf8').catch(() => undefined);
  // What is there is continued only if the server can tell that it is still the same file, or a hash can.
  if (tag === undefined && !job.hash) received = 0;
  if (received > 0 && received === job.bytes) return;
  const response = await request(job, received, tag);
  if (response.status === 416 && received > 0) {
    await response.body?.cancel();
    const size = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
    if (size === String(received) || (job.hash && size === undefined)) return; // complete; `verify` decides
    await rm(partOf(job), { force: true });
    throw new Interrupted('what was there is of another file');
  }
  if (!response.ok || !response.body) throw httpError(job, response);
  if (response.status !== 206) received = 0;
  const etag = response.headers.get('etag');
  if (etag && !etag.startsWith('W/')) await writeFile(tagOf(job), etag);
  else await rm(tagOf(job), { force: true });
  const length = response.headers.get('content-length');
  const total = job.bytes ?? (length === null ? undefined : received + Number(length));
  received = await receive(job, response.body as AsyncIterable<Uint8Array>, received, total);
  if (total !== undefined && received < total) {
    throw new Interrupted(`the connection ended after ${received} of ${total} bytes`);
  }
}

async function request(
  job: Download,
  received: number,
  tag: string | undefined,
): Promise<Response> {
  const headers: Record<string, string> = { ...job.headers, 'accept-encoding': 'identity' };
  if (received > 0) headers['range'] = `bytes=${received}-`;
  if (received > 0 && tag) headers['if-range'] = tag; // a file that has changed is sent whole
  try {
    return await fetch(job.url, { headers, signal: job.signal ?? null });
  } catch (error) {
    throw interrupted(error);
  }
}

/** Writes the body behind the first `received` bytes; returns how many there are then. */
async function receive(
  job: Download,
  body: AsyncIterable<Uint8Array>,
  received: number,
  total: number | undefined,
): Promise<number> {
  const file = await open(partOf(job), received > 0 ? 'a' : 'w');
  try {
    const chunks = body[Symbol.asyncIterator]();
    for (;;) {
      const chunk = await chunks.next().catch((error: unknown) => {
        throw interrupted(error);
      });
      if (chunk.done) return received;
      const bytes: Uint8Array = chunk.value;
      await file.write(bytes);
      received += bytes.length;
      job.onProgress?.(received, total);
    }
  } finally {
    await file.close();
  }
}

function interrupted(error: unknown): Interrupted {
  const { message, cause } = error as Error;
  return new Interrupted(cause instanceof Error ? `${message}: ${cause.message}` : message, {
    cause: error,
  });
}

/** A refusal is final; trouble on the other side is worth another try. */
function httpError(job: Download, response: Response): Error {
  const why = `the server answered ${response.status} ${response.statusText}`;
  if (response.status >= 500 || response.status === 429) return new Interrupted(why);
  return new CachalotError('download_failed', `cannot download ${job.url}: ${why}`);
}

async function verify(job: Download): Promise<void> {
  const size = await sizeOf(partOf(job));
  let problem =
    job.bytes !== undefined && size !== job.bytes
      ? `it has ${size} bytes, not ${job.bytes}`
      : undefined;
  if (!problem && job.hash) {
    const { algorithm, digest: expected, encoding } = job.hash;
    const digest = await hashFile(partOf(job), algorithm, encoding, job.signal);
    if (digest !== expected) problem = `its ${algorithm} is ${digest}, not ${expected}`;
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

/** Throws aborted. */
export async function hashFile(
  file: string,
  algorithm: 'sha256' | 'sha512',
  encoding: 'hex' | 'base64',
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    if (signal?.aborted) throw abortError(signal);
    hash.update(chunk as Buffer);
  }
  return hash.digest(encoding);
}
