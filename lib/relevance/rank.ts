/**
 * Ranks passages by how much likelier they make a query: the mean log-probability of the query's tokens after the passage, less that
 * without it. (CODEFILTER, arXiv 2508.05970, and LongCodeZip, arXiv 2510.00446, judge pieces of code by this.)
 */
import { checkOptions, isString, readList } from '../checks/check-options.js';
import { GAP, RELEVANCE_CHECKS, mean } from './scorer.js';
import type { RelevanceOptions, Scorer } from './scorer.js';

export interface RankedPassage {
  /** Where the passage stands in the list that was given. */
  index: number;
  /** How much a token of the query gains in log-probability, in nats. Below 0, the passage makes the query less likely. */
  gain: number;
}

/**
 * The passages, the most relevant first. Each is computed once, and stays in the cache.
 *
 * @example
 * import { rank } from 'cachalot';
 * const pages = ['The red button starts it.', 'It was made in 1920.'];
 * const [best] = await rank(engine, 'How do I start it?', pages);
 * console.log(pages[best.index]);
 */
export async function rank(
  scorer: Scorer,
  query: string,
  passages: readonly string[],
  options: RelevanceOptions = {},
): Promise<RankedPassage[]> {
  const { signal } = checkOptions(options, RELEVANCE_CHECKS);
  const text = isString('query', query);
  const given = readList('passages', passages, 'an array of texts', (item, i) =>
    isString(`passages[${i}]`, item),
  );
  if (given.length === 0) return [];
  const gains = await gainsOf(scorer, text, given, signal);
  return gains.map((gain, index) => ({ index, gain })).sort((a, b) => b.gain - a.gain);
}

/** The gain of each passage, in their order. */
export async function gainsOf(
  scorer: Scorer,
  query: string,
  passages: readonly string[],
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const items = ['', ...passages]
    .map((passage) => `${passage}${GAP}`)
    .map((prefix) => ({
      text: query,
      prefix,
    }));
  const [alone, ...after] = await scorer.scoreBatch(items, { signal });
  return after.map(({ logprobs }) => mean(logprobs) - mean(alone!.logprobs));
}
