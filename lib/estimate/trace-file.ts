/** Traces of requests, in Mooncake's format (FAST '25): lines of { timestamp, input_length, output_length, hash_ids }. */
import { CachalotError } from '../errors.js';
import { readTextFile } from '../files/regular-file.js';
import type { SimulatedTrace } from '../native.js';
import { parseJson } from '../text/parse-json.js';

/** Tokens that a hash stands for. */
export const BLOCK = 512;

export interface TracedRequest {
  timestamp: number;
  input_length: number;
  output_length: number;
  hash_ids: number[];
}

/** In the order of their timestamps. Throws io, or invalid_argument with the line. */
export async function readRequests(path: string, most = Infinity): Promise<TracedRequest[]> {
  const lines = (await readTextFile(path)).split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0) throw refuse(`'${path}' has no lines`);
  return lines
    .slice(0, most)
    .map((line, i) => readRequest(line, `line ${i + 1} of '${path}'`))
    .sort((a, b) => a.timestamp - b.timestamp);
}

/** As the simulation takes them, all there at once. */
export function traceOf(requests: readonly TracedRequest[]): SimulatedTrace {
  let end = 0;
  return {
    lengths: Int32Array.from(requests, ({ input_length, hash_ids }) =>
      Math.min(input_length, BLOCK * hash_ids.length),
    ),
    outputs: Int32Array.from(requests, ({ output_length }) => Math.max(1, output_length)),
    hashes: Int32Array.from(requests.flatMap(({ hash_ids }) => hash_ids)),
    hashEnds: Int32Array.from(requests, ({ hash_ids }) => (end += hash_ids.length)),
    blockTokens: BLOCK,
  };
}

/** When they come, in milliseconds after the first. */
export function arrivalsOf(requests: readonly TracedRequest[]): Int32Array {
  return Int32Array.from(requests, ({ timestamp }) => timestamp - requests[0]!.timestamp);
}

const MOST = 2 ** 22;

function readRequest(line: string, where: string): TracedRequest {
  const value = parseJson(line, where, 'invalid_argument') as Partial<TracedRequest> | null;
  const { timestamp, input_length, output_length, hash_ids } = value ?? {};
  const isCount = (number: unknown, least: number) =>
    Number.isInteger(number) && (number as number) >= least && (number as number) < MOST * BLOCK;
  const isWhole =
    isCount(timestamp, 0) &&
    isCount(input_length, 1) &&
    isCount(output_length, 0) &&
    Array.isArray(hash_ids) &&
    hash_ids.length > 0 &&
    hash_ids.every((id) => isCount(id, 0) && id < MOST - 2);
  if (isWhole) return value as TracedRequest;
  throw refuse(
    `${where} is no request: expected timestamp (ms), input_length, output_length and hash_ids, of blocks of ${BLOCK} tokens`,
  );
}

function refuse(what: string): CachalotError {
  return new CachalotError('invalid_argument', what);
}
