/** Inputs of commands: files, pipes and standard input. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import type { Readable } from 'node:stream';
import { clearTimeout, setTimeout } from 'node:timers';

import { abortError } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { TEXT_BYTES, notAFile, readRegular, tooLarge } from '../files/regular-file.js';
import { decodeText } from './text-bytes.js';

/** Its name in errors. */
export const STANDARD_INPUT = 'standard input';
/** After this time the user is told what the command waits for. */
const PATIENCE_MS = 2000;

/** Whether a name on the command line means standard input. */
export function isStandardInput(path: string): boolean {
  return path === '-' || path === '/dev/stdin';
}

/** A terminal and `/dev/null` are read only if "-" is given. */
export function standardInputKind(): 'nothing' | 'pipe' | 'socket' {
  try {
    const status = fstatSync(0);
    if (status.isSocket()) return 'socket';
    return status.isFIFO() || status.isFile() ? 'pipe' : 'nothing';
  } catch {
    return 'nothing'; // it is closed
  }
}

/** As `readBytes`; a byte-order mark is not part of the text. */
export async function readText(path: string, signal?: AbortSignal): Promise<string> {
  return decodeText(await readBytes(path, signal), nameOf(path));
}

/** The name of a file or pipe in errors. */
export function nameOf(path: string): string {
  return isStandardInput(path) ? STANDARD_INPUT : `'${path}'`;
}

/** Reads a file, or a pipe such as the shell's `<(command)`, to its end or until the user interrupts. Throws io, aborted. */
export async function readBytes(path: string, signal?: AbortSignal): Promise<Buffer> {
  if (isStandardInput(path)) return readStandardInput(signal);
  const status = await stat(path).catch((error: unknown) => {
    throw ioError(error, 'read', path);
  });
  return status.isFIFO() ? readStream(openPipe(path), path, signal) : readRegular(path, TEXT_BYTES);
}

/** Reads to the end. */
export async function readStandardInput(signal?: AbortSignal): Promise<Buffer> {
  const hint = process.stdin.isTTY ? 'Ctrl-D ends it' : '`< /dev/null` gives it nothing';
  const waiting = setTimeout(
    () => process.stderr.write(`reading ${STANDARD_INPUT} until it ends; ${hint}\n`),
    PATIENCE_MS,
  );
  const stop = () => clearTimeout(waiting);
  return readStandardInputQuietly(signal, stop).finally(stop);
}

/** Prints nothing while it waits; `onFirst` is called at the first bytes. */
export async function readStandardInputQuietly(
  signal: AbortSignal | undefined,
  onFirst: () => void,
): Promise<Buffer> {
  return readStream(process.stdin, STANDARD_INPUT, signal, onFirst);
}

/** As a socket, which waits in the event loop: reading it as a file would block a thread until data comes. */
function openPipe(path: string): Socket {
  let pipe: number | undefined;
  try {
    pipe = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = fstatSync(pipe);
    if (!status.isFIFO()) throw notAFile('read', path, status); // it was replaced in the meantime
    return new Socket({ fd: pipe, readable: true, writable: false });
  } catch (error) {
    if (pipe !== undefined) closeSync(pipe);
    throw ioError(error, 'read', path);
  }
}

async function readStream(
  stream: Readable,
  name: string,
  signal: AbortSignal | undefined,
  onFirst?: () => void,
): Promise<Buffer> {
  const input = signal ? addAbortSignal(signal, stream) : stream;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of input) {
      if (bytes === 0) onFirst?.();
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > TEXT_BYTES) throw tooLarge(name, TEXT_BYTES);
    }
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : ioError(error, 'read', name);
  }
  return Buffer.concat(chunks);
}
