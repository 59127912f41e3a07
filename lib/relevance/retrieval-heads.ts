/** Which KV heads of a model look things up in what came long before: found once, with tokens that mean nothing. */
import { checkOptions, integerIn, isFunction, isSignal } from '../checks/check-options.js';
import { CachalotError } from '../errors.js';
import type { Attention, AttentionOptions } from '../engine/attention.js';
import type { HeadProfile } from '../options/head-profile.js';
import { Random } from './random.js';

/** What is asked of an engine. */
export interface AttentionSource {
  description: { vocabulary: number; contextLength: number; layers: number; model: string };
  attention(tokens: readonly number[], options: AttentionOptions): Promise<Attention>;
}

export interface HeadOptions {
  /** How many random tokens are repeated. Default 256, less in a short context. */
  tokens?: number | undefined;
  /** How many rows are observed. Default 16. */
  rows?: number | undefined;
  /** Of the random tokens. Default 0. */
  seed?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Called after each row, with how many are done and how many there are. */
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** How often the tokens stand there. */
const REPEATS = 4;

/**
 * A text of random tokens is repeated, so that nothing in it can be told but by looking back. A head's score is the share of attention
 * that it gives to the same token where it stood before (an echo), and to the token that followed it there (induction); RazorAttention,
 * Tang et al. 2024, arXiv 2407.15891. The paper takes the best heads of both kinds; here they are added. A KV head's score is the mean of its
 * query heads.
 *
 * @example
 * import { retrievalHeads } from 'cachalot';
 * const heads = await retrievalHeads(engine);
 * const doc = await engine.cache.add(longText, { compress: { policy: 'razor', heads } });
 */
export async function retrievalHeads(
  engine: AttentionSource,
  options: HeadOptions = {},
): Promise<HeadProfile> {
  const checked = checkOptions(options, {
    tokens: integerIn(8, 1 << 16),
    rows: integerIn(1, 1 << 12),
    seed: integerIn(0, 2 ** 31 - 1),
    signal: isSignal,
    onProgress: isFunction,
  });
  const { vocabulary, contextLength, layers, model } = engine.description;
  const most = Math.floor(contextLength / REPEATS);
  const { tokens: n = Math.min(256, most), rows = 16, seed = 0, signal, onProgress } = checked;
  if (n > most)
    throw new CachalotError(
      'context_overflow',
      `${REPEATS} times ${n} tokens are more than the context of ${contextLength} holds; give at most ${most}`,
    );
  const random = new Random(seed);
  const once = Array.from({ length: n }, () => random.below(vocabulary));
  const text = Array.from({ length: REPEATS * n }, (_, i) => once[i % n]!);
  let scores: number[] = [];
  for (let row = 0; row < rows; row++) {
    const length = (REPEATS - 1) * n + 1 + Math.floor((row * (n - 1)) / rows);
    const { heads, values } = await engine.attention(text.slice(0, length), { signal });
    scores = Array.from({ length: heads }, (_, head) => {
      const read = values.subarray(head * length, (head + 1) * length);
      return (scores[head] ?? 0) + lookedUp(read, n) / rows;
    });
    onProgress?.({ done: row + 1, total: rows });
  }
  return { model, layers, kvHeads: scores.length / layers, scores };
}

/** Of the last row: the share that goes to where its token stood before, and to what followed it. */
function lookedUp(read: Float32Array, period: number): number {
  let sum = 0;
  for (let at = read.length - 1 - period; at >= 0; at -= period) sum += read[at]! + read[at + 1]!;
  return sum;
}
