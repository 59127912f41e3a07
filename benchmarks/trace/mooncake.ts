/** Mooncake's trace: requests whose prompts are given as hashes of blocks, at their own lengths or with all lengths divided. */
import { existsSync, readFileSync } from 'node:fs';

import type { SimulatedTrace } from '#lib/native.js';

const BLOCK = 512; // tokens that a hash of the trace stands for
/** What lengths are divided by for a run on this machine. */
export const SCALE = 100;

export interface Request {
  input_length: number;
  output_length: number;
  hash_ids: number[];
}

export function readTrace(path: string, limit: number): Request[] {
  if (!existsSync(path)) throw new Error(`there is no ${path}: give the path of the trace`);
  const lines = readFileSync(path, 'utf8').trim().split('\n').slice(0, limit);
  return lines.map((line) => JSON.parse(line) as Request);
}

/** As the simulation takes it. */
export function traceOf(requests: readonly Request[]): SimulatedTrace {
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

/** The prompts with all lengths divided: block k of a prompt begins at token floor(512 k / 100). */
export function promptsOf(requests: readonly Request[], vocabulary: number) {
  const size = Math.ceil(BLOCK / SCALE);
  return requests.map(({ input_length, output_length, hash_ids }) => {
    const length = Math.max(1, Math.floor(Math.min(input_length, BLOCK * hash_ids.length) / SCALE));
    const tokens: number[] = [];
    for (let k = 0; tokens.length < length; k++) {
      const until = Math.min(length, Math.floor(((k + 1) * BLOCK) / SCALE));
      for (let t = 0; tokens.length < until; t++)
        tokens.push(
          3 +
            (((hash_ids[k]! * size + t) * 7919 + (hash_ids[k]! >> 13) * 104_729 * (t + 1)) %
              (vocabulary - 3)),
        );
    }
    return { tokens, maxTokens: Math.max(1, Math.round(output_length / SCALE)) };
  });
}

/** Nodes of the prompts' prefix tree: what must be computed at least. */
export function distinctTokens(prompts: readonly number[][]): number {
  const root = new Map<number, unknown>();
  let count = 0;
  for (const tokens of prompts) {
    let node = root;
    for (const token of tokens) {
      let next = node.get(token) as Map<number, unknown> | undefined;
      if (!next) {
        node.set(token, (next = new Map()));
        count++;
      }
      node = next;
    }
  }
  return count;
}
