/** Checks that a received file is of the kind that its name says, before it gets that name. */
import { open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { CachalotError, fromNative } from '../../errors.js';
import { ioError } from '../../files/io-error.js';
import { native } from '../../native.js';
import { quoted } from '../../net/quoted.js';
import type { SplitName } from '../names/split-name.js';
import { splitName } from '../names/split-name.js';

/** All readers of safetensors refuse a longer header. */
const MOST_HEADER_BYTES = 100_000_000;
const HTML = /^\s*<(!doctype html|html|head|body)\b/i;

/** `name` is the file's future name. Throws download_corrupt, or io. */
export async function checkContent(path: string, name: string): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (error) {
    throw ioError(error, 'read', path);
  }
  try {
    const beginning = await readAt(file, path, 0, 64);
    if (/\.gguf$/i.test(name)) checkGguf(beginning, name);
    else if (name.endsWith('.safetensors')) await checkSafetensors(file, path, name, beginning);
    else if (name.endsWith('.json')) await checkJson(path, name, beginning);
    else if (HTML.test(beginning.toString('latin1')))
      throw wrong(name, 'a file of that name', beginning);
  } finally {
    await file.close();
  }
  const split = splitName(name);
  if (split) await checkSplit(path, name, split);
}

function checkGguf(beginning: Buffer, name: string): void {
  if (beginning.toString('latin1', 0, 4) !== 'GGUF') throw wrong(name, 'a GGUF file', beginning);
}

async function checkJson(path: string, name: string, beginning: Buffer): Promise<void> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw ioError(error, 'read', path);
  });
  if (!isJson(text)) throw wrong(name, 'JSON', beginning);
}

/** Checks the length of the header, the header, and that the tensors' bytes follow it. */
async function checkSafetensors(
  file: FileHandle,
  path: string,
  name: string,
  beginning: Buffer,
): Promise<void> {
  const length = beginning.length < 8 ? 0 : Number(beginning.readBigUInt64LE(0));
  if (length < 2 || length > MOST_HEADER_BYTES)
    throw wrong(name, 'a file of safetensors', beginning);
  const header = await readAt(file, path, 8, length);
  if (header.length < length || !isJson(header.toString('utf8')))
    throw wrong(name, 'a file of safetensors', beginning);
  const tensors = Object.values((JSON.parse(header.toString('utf8')) as object | null) ?? {}) as {
    data_offsets?: unknown;
  }[];
  const ends = tensors.map((tensor) => (tensor?.data_offsets as number[] | undefined)?.[1] ?? 0);
  const expected = 8 + length + ends.reduce((most, end) => Math.max(most, end), 0);
  const { size } = await file.stat();
  if (size !== expected)
    throw new CachalotError(
      'download_corrupt',
      `what came as '${name}' has ${size} bytes, and its header tells of ${expected}; it was deleted`,
    );
}

/** Otherwise a part of another model, or a part with a wrong number, would be noticed only at loading. */
async function checkSplit(path: string, name: string, { part, parts }: SplitName): Promise<void> {
  const { metadata } = await native()
    .readGguf(path, { keys: ['split.'], alone: true })
    .catch((error: unknown) => Promise.reject(fromNative(error)));
  const [number, count] = [metadata['split.no'], metadata['split.count']];
  if (number === part - 1 && count === parts) return;
  const said =
    typeof number === 'number' && typeof count === 'number'
      ? `part ${number + 1} of ${count}`
      : 'no part of a split file';
  throw new CachalotError(
    'download_corrupt',
    `what came as '${name}' is ${said}; it was deleted: ask whoever offers it`,
  );
}

async function readAt(file: FileHandle, path: string, at: number, length: number): Promise<Buffer> {
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    throw ioError(error, 'read', path);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function wrong(name: string, expected: string, beginning: Buffer): CachalotError {
  const why = HTML.test(beginning.toString('latin1'))
    ? 'a web page; a proxy or a login page may have answered instead of the server'
    : `not ${expected}`;
  const begins = beginning.length === 0 ? 'it is empty' : `it begins with ${quoted(beginning)}`;
  return new CachalotError(
    'download_corrupt',
    `what came as '${name}' is ${why}: ${begins}; it was deleted`,
  );
}
