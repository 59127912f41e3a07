/**
 * Splits a text where its thoughts end. A sentence that is easier to predict than the ones beside it ends a thought: what comes
 * after it is new (Meta-Chunking, arXiv 2410.12788, by perplexity).
 */
import { checkOptions, integerIn, isString, numberIn } from '../checks/check-options.js';
import { GAP, RELEVANCE_CHECKS, mean } from './scorer.js';
import type { MeasuringScorer, RelevanceOptions } from './scorer.js';
import { sentencesOf } from './sentences.js';

export interface SplitOptions extends RelevanceOptions {
  /** How much lower than both neighbours, in nats a token, a sentence's surprise must be to end a piece. Default 0: any local minimum. */
  threshold?: number | undefined;
  /** How many tokens before a sentence it is judged by, at most: half as many at least, where the text has them. Default 1024, or half
   *  of the model's context. */
  window?: number | undefined;
}

const WINDOW = 1024;

/**
 * The pieces of a text. Together they are the text.
 *
 * @example
 * import { splitText } from 'cachalot';
 * for (const piece of await splitText(engine, longText)) console.log(piece);
 */
export async function splitText(
  scorer: MeasuringScorer,
  text: string,
  options: SplitOptions = {},
): Promise<string[]> {
  const checks = {
    ...RELEVANCE_CHECKS,
    threshold: numberIn(0, 100),
    window: integerIn(2, 2 ** 24),
  };
  const { contextLength } = scorer.description;
  const { threshold = 0, window = WINDOW, signal } = checkOptions(options, checks);
  const sentences = sentencesOf(isString('text', text));
  const most = Math.min(window, Math.floor(contextLength / 2));
  const surprises = await surprisesOf(scorer, sentences, most, signal);
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

/** The mean surprise of each sentence's tokens after those before it, in nats. */
async function surprisesOf(
  scorer: MeasuringScorer,
  sentences: readonly string[],
  window: number,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  if (sentences.length === 0) return [];
  const starts = startsOf(
    sentences.map((sentence) => scorer.tokenize(sentence).length),
    window,
  );
  // White space between sentences belongs to the later one, as tokenizers have it.
  const items = sentences.map((sentence, i) => {
    const before = sentences.slice(starts[i], i).join('');
    const words = before.trimEnd();
    const own = sentence.trimEnd() || sentence;
    return { text: before.slice(words.length) + own, prefix: words || GAP };
  });
  const scores = await scorer.scoreBatch(items, { signal });
  return scores.map(({ logprobs }) => -mean(logprobs));
}

/**
 * The first sentence by which each is judged. It moves on by half a window at a time, so that sentences in between begin alike and
 * what is before them is computed once.
 */
function startsOf(tokens: readonly number[], window: number): number[] {
  let start = 0;
  let all = 0; // tokens from there on
  return tokens.map((n, i) => {
    if (all + n > window)
      while (start < i && all > window / 2) {
        all -= tokens[start]!;
        start++;
      }
    all += n;
    return start;
  });
}

function isMinimum(values: readonly number[], i: number, threshold: number): boolean {
  const [before, here, after] = [values[i - 1], values[i]!, values[i + 1]];
  if (before === undefined || after === undefined) return false;
  return before - here > threshold && after - here > threshold;
}
