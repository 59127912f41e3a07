/**
 * Splits a text where its thoughts end. A sentence that is easier to predict than the ones beside it ends a thought: what comes
 * after it is new (Meta-Chunking, arXiv 2410.12788, by perplexity).
 */
import { checkOptions, integerIn, isString, numberIn } from '../checks/check-options.js';
import { RELEVANCE_CHECKS, mean } from './scorer.js';
import type { RelevanceOptions, Scorer } from './scorer.js';
import { sentencesOf } from './sentences.js';

export interface SplitOptions extends RelevanceOptions {
  /** How much lower than both neighbours, in nats a token, a sentence's surprise must be to end a piece. Default 0: any local minimum. */
  threshold?: number | undefined;
  /** How many sentences are judged together, each after those before it. Default 64; a long text is judged in several parts. */
  window?: number | undefined;
}

/**
 * The pieces of a text. Together they are the text.
 *
 * @example
 * import { splitText } from 'cachalot';
 * for (const piece of await splitText(engine, longText)) console.log(piece);
 */
export async function splitText(
  scorer: Scorer,
  text: string,
  options: SplitOptions = {},
): Promise<string[]> {
  const checks = { ...RELEVANCE_CHECKS, threshold: numberIn(0, 100), window: integerIn(3, 4096) };
  const { threshold = 0, window = 64, signal } = checkOptions(options, checks);
  const sentences = sentencesOf(isString('text', text));
  const surprises = await surprisesOf(scorer, sentences, window, signal);
  const pieces: string[] = [];
  let piece = '';
  for (const [i, sentence] of sentences.entries()) {
    piece += sentence;
    const isEnd = i === sentences.length - 1 || isMinimum(surprises, i, threshold);
    if (!isEnd) continue;
    pieces.push(piece);
    piece = '';
  }
  return pieces;
}

/** The mean surprise of each sentence's tokens after the sentences before it, in nats. */
export async function surprisesOf(
  scorer: Scorer,
  sentences: readonly string[],
  window: number,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  // Each prefix begins with the one before it, so that every sentence is computed once.
  const items = sentences.map((sentence, i) => ({
    text: sentence,
    prefix: sentences.slice(Math.floor(i / window) * window, i).join(''),
  }));
  if (items.length === 0) return [];
  const scores = await scorer.scoreBatch(items, { signal });
  return scores.map(({ logprobs }) => -mean(logprobs));
}

function isMinimum(values: readonly number[], i: number, threshold: number): boolean {
  const [before, here, after] = [values[i - 1], values[i]!, values[i + 1]];
  if (before === undefined || after === undefined) return false;
  return before - here > threshold && after - here > threshold;
}
