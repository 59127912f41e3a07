/** Text that commands read: files and standard input. */
import { readFile } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';

import { CachalotError, abortError } from '../errors.js';

/** Throws io, which names the file. */
export async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    const why = (error as Error).message;
    throw new CachalotError('io', `cannot read '${path}': ${why}`, { cause: error });
  });
}

/** Until it ends, or somebody interrupts us. */
export async function readStandardInput(signal?: AbortSignal): Promise<string> {
  const input = signal ? addAbortSignal(signal, process.stdin) : process.stdin;
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of input) chunks.push(chunk as Buffer);
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : error;
  }
  return Buffer.concat(chunks).toString('utf8');
}
