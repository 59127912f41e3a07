/** Text that commands read: files, pipes and standard input. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import type { Readable } from 'node:stream';

import { abortError } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { TEXT_BYTES, notAFile, readTextFile, tooLarge } from '../files/regular-file.js';

/** Of a file, or of a pipe such as the shell's `<(command)`, until it ends or somebody interrupts us. Throws io, aborted. */
export async function readText(path: string, signal?: AbortSignal): Promise<string> {
  if (path === '/dev/stdin') return readStandardInput(signal);
  const status = await stat(path).catch((error: unknown) => {
    throw ioError(error, 'read', path);
  });
  return status.isFIFO() ? readStream(openPipe(path), path, signal) : readTextFile(path);
}

export async function readStandardInput(signal?: AbortSignal): Promise<string> {
  return readStream(process.stdin, 'standard input', signal);
}

/** As a socket, which waits in the event loop: a read of a file would hold a thread until somebody writes. */
function openPipe(path: string): Socket {
  let pipe: number | undefined;
  try {
    pipe = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = fstatSync(pipe);
    if (!status.isFIFO()) throw notAFile('read', path, status); // it has been exchanged
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
): Promise<string> {
  const input = signal ? addAbortSignal(signal, stream) : stream;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of input) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > TEXT_BYTES) throw tooLarge(name, TEXT_BYTES);
    }
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : ioError(error, 'read', name);
  }
  return Buffer.concat(chunks).toString('utf8');
}
