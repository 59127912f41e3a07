/** The hash of a file that may be larger than memory. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

import { abortError } from '../errors.js';
import { ioError } from '../files/io-error.js';

export interface Hash {
  algorithm: 'sha256' | 'sha512';
  digest: string;
  encoding: 'hex' | 'base64';
}

/** Throws io or aborted. */
export async function hashFile(
  file: string,
  { algorithm, encoding }: Omit<Hash, 'digest'>,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash(algorithm);
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
      if (signal?.aborted) throw abortError(signal);
      hash.update(chunk as Buffer);
    }
  } catch (error) {
    throw ioError(error, 'read', file);
  }
  return hash.digest(encoding);
}
