/** Downloads one file over HTTP into FILE.part, resumed where an earlier try ended. The file gets its name only after it is checked. */
import { open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { CachalotError } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { PRIVATE_FILE, makePrivateFolder } from '../files/private.js';
import { remove } from '../files/remove.js';
import { writeAll } from '../files/write-all.js';
import { hashFile } from './hash-file.js';
import type { Hash } from './hash-file.js';
import { quoted } from './quoted.js';
import { Interrupted, withRetries } from './retry.js';
import type { NetOptions } from './retry.js';
import { refusal, send, shown } from './send.js';
import type { Answer } from './send.js';

export interface Download extends NetOptions {
  url: string;
  file: string;
  headers?: Record<string, string>;
  /** Checked when known. */
  bytes?: number | undefined;
  hash?: Hash | undefined;
  /** Throws if the file that was received is wrong; the file then does not get its name, and is deleted. */
  check?: (path: string) => Promise<void>;
  /** Whether the part of an earlier try is continued only if a hash can confirm it. */
  force?: boolean | undefined;
  /** Added to the message when the server refuses. */
  advice?: string;
  onProgress?: ((receivedBytes: number, totalBytes: number | undefined) => void) | undefined;
}

/** Throws download_failed, download_corrupt, io or aborted; a second call resumes, except after download_corrupt. */
export async function download(job: Download): Promise<void> {
  await makePrivateFolder(dirname(job.file));
  if (job.force && !job.hash) await forget(job);
  let most = 0;
  await withRetries(
    `download ${shown(job.url)}`,
    () => fetchRest(job, (received) => (most = Math.max(most, received))),
    job,
    () => most,
  );
  await verify(job);
  await rename(partOf(job), job.file).catch((error: unknown) => {
    throw ioError(error, 'write', job.file);
  });
  await remove(tagOf(job));
}

const partOf = (job: Download) => `${job.file}.part`;
const tagOf = (job: Download) => `${job.file}.part.etag`;

async function forget(job: Download): Promise<void> {
  for (const path of [partOf(job), tagOf(job)]) await remove(path);
}

async function fetchRest(job: Download, report: (received: number) => void): Promise<void> {
  let received = await sizeOf(partOf(job));
  const tag = await readFile(tagOf(job), 'utf8').catch(() => undefined);
  // A part is continued only if the server can tell that the file is still the same, or a hash can confirm it.
  if (tag === undefined && !job.hash) received = 0;
  if (job.bytes !== undefined && received > job.bytes) received = 0;
  if (received > 0 && received === job.bytes) return;
  const answer = await request(job, received, tag);
  if (answer.status === 416 && received > 0) return rangeIsRefused(job, answer, received);
  if (answer.status !== 200 && answer.status !== 206) throw await refusal(answer, job.advice);
  if (answer.status === 206) await checkPart(job, answer, received);
  else {
    received = 0;
    await forget(job); // before the new tag: a kill in between must not join two files
  }
  await keepTag(job, answer);
  const total = await totalOf(job, answer, received);
  received = await receive(job, answer, received, total, report);
  if (total !== undefined && received < total) {
    throw new Interrupted(`the connection ended after ${received} of ${total} bytes`);
  }
}

function request(job: Download, received: number, tag: string | undefined): Promise<Answer> {
  const headers: Record<string, string> = { ...job.headers, 'accept-encoding': 'identity' };
  if (received > 0) headers['range'] = `bytes=${received}-`;
  if (received > 0 && tag) headers['if-range'] = tag; // a file that has changed is sent whole
  return send(job.url, { ...job, headers });
}

/** No bytes follow those that we have: we have the whole file, or a part of another one. */
async function rangeIsRefused(job: Download, answer: Answer, received: number): Promise<void> {
  await answer.cancel();
  const size = /\/(\d+)$/.exec(answer.headers.get('content-range') ?? '')?.[1];
  if (size === String(received) || (job.hash && size === undefined)) return; // complete; `verify` decides
  await forget(job);
  throw new Interrupted('what was there is of another file');
}

/** A part must be the one that was asked for. One that begins elsewhere is not joined to ours. */
async function checkPart(job: Download, answer: Answer, received: number): Promise<void> {
  const { first, size } = rangeOf(answer);
  const isOtherSize = job.bytes !== undefined && size !== undefined && size !== job.bytes;
  if (received > 0 && first === received && !isOtherSize && !isEncoded(answer)) return;
  await answer.cancel();
  const problem = `${answer.url.host} sent a part of a file (from byte ${first ?? 'unknown'})`;
  if (received === 0)
    throw corrupt(job, `${problem}, though the whole was asked for; nothing was kept`);
  await forget(job);
  throw new Interrupted(`${problem} that does not continue what was there`);
}

/** The server compresses though it was asked not to: lengths and offsets then refer to compressed bytes. */
function isEncoded({ headers }: Answer): boolean {
  return (headers.get('content-encoding') ?? 'identity') !== 'identity';
}

function rangeOf({ headers }: Answer): { first?: number; size?: number } {
  const [, first, size] =
    /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? [];
  return {
    ...(first === undefined ? {} : { first: Number(first) }),
    ...(size === undefined || size === '*' ? {} : { size: Number(size) }),
  };
}

async function keepTag(job: Download, answer: Answer): Promise<void> {
  const etag = answer.headers.get('etag');
  const isStrong = etag !== null && etag !== '' && !etag.startsWith('W/');
  const keeping = isStrong
    ? writeFile(tagOf(job), etag, { mode: PRIVATE_FILE })
    : remove(tagOf(job));
  await keeping.catch(async (error: unknown) => {
    await answer.cancel();
    throw ioError(error, 'write', tagOf(job));
  });
}

/** The total number of bytes, if the server gives it. */
async function totalOf(
  job: Download,
  answer: Answer,
  received: number,
): Promise<number | undefined> {
  const length = answer.headers.get('content-length');
  const ofPart = answer.status === 206 && rangeOf(answer).size;
  if (ofPart) return job.bytes ?? ofPart;
  const announced = length === null || isEncoded(answer) ? undefined : received + Number(length);
  const isWrong = job.bytes !== undefined && announced !== undefined && announced !== job.bytes;
  if (!isWrong) return job.bytes ?? announced;
  const beginning = await beginningOf(answer);
  await forget(job);
  throw corrupt(
    job,
    `${answer.url.host} offers ${announced} bytes, not ${job.bytes}${beginning}; nothing was kept`,
  );
}

async function beginningOf(answer: Answer): Promise<string> {
  try {
    for await (const bytes of answer.body) return `, which begin with ${quoted(bytes)}`;
  } catch {
    // It is refused in any case.
  }
  return '';
}

/** Writes the body after the first `received` bytes; returns the number of bytes then. */
async function receive(
  job: Download,
  answer: Answer,
  received: number,
  total: number | undefined,
  report: (received: number) => void,
): Promise<number> {
  const file = await openPart(job, answer, received);
  try {
    for await (const bytes of answer.body) {
      received += bytes.length;
      if (total !== undefined && received > total) break;
      await writeOn(file, bytes, partOf(job));
      report(received);
      job.onProgress?.(received, total);
    }
    await file.sync().catch((error: unknown) => {
      throw ioError(error, 'write', partOf(job));
    });
  } finally {
    await file.close();
  }
  if (total !== undefined && received > total) {
    await forget(job);
    throw corrupt(job, `${answer.url.host} sent more than ${total} bytes; nothing was kept`);
  }
  return received;
}

async function openPart(job: Download, answer: Answer, received: number): Promise<FileHandle> {
  try {
    return await open(partOf(job), received > 0 ? 'a' : 'w', PRIVATE_FILE);
  } catch (error) {
    await answer.cancel();
    throw ioError(error, 'write', partOf(job));
  }
}

/** When the disk is full, the bytes written so far stay: the next call continues after them. */
async function writeOn(file: FileHandle, bytes: Uint8Array, path: string): Promise<void> {
  await writeAll(file, bytes, path).catch((error: CachalotError) => {
    const advice = 'what has come so far is kept: run the same command again to go on';
    throw new CachalotError('io', `${error.message}; ${advice}`, { cause: error.cause });
  });
}

async function verify(job: Download): Promise<void> {
  const size = await sizeOf(partOf(job));
  try {
    if (job.bytes !== undefined && size !== job.bytes)
      throw corrupt(job, `it has ${size} bytes, not ${job.bytes}; it was deleted`);
    if (job.hash) {
      const { algorithm, digest: expected } = job.hash;
      const digest = await hashFile(partOf(job), job.hash, job.signal);
      if (digest !== expected)
        throw corrupt(job, `its ${algorithm} is ${digest}, not ${expected}; it was deleted`);
    }
    await job.check?.(partOf(job));
  } catch (error) {
    const isTrouble =
      error instanceof CachalotError && (error.code === 'aborted' || error.code === 'io');
    if (!isTrouble) await forget(job);
    throw error;
  }
}

function corrupt(job: Download, problem: string): CachalotError {
  return new CachalotError(
    'download_corrupt',
    `${shown(job.url)} is not the expected file: ${problem}`,
  );
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    (info) => info.size,
    () => 0,
  );
}
