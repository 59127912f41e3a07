/** Mooncake's trace: requests whose prompts are given as hashes of blocks, at their own lengths or with all lengths divided. */
import { BLOCK } from '#lib/estimate/trace-file.js';
import type { TracedRequest } from '#lib/estimate/trace-file.js';

/** What lengths are divided by for a run on this machine. */
export const SCALE = 100;

/** The prompts with all lengths divided: block k of a prompt begins at token floor(512 k / 100). */
export function promptsOf(requests: readonly TracedRequest[], vocabulary: number) {
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
