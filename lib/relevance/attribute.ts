/**
 * Which passages caused an answer (TracLLM, arXiv 2506.04202): the answer's log-probability is measured with subsets of the passages;
 * a passage's contribution is what its arrival adds, in several random orders (Shapley values), of which the largest fifth counts,
 * since most arrivals say nothing. Many passages are first searched in groups: those that contribute are halved until each is one.
 */
import { checkOptions, integerIn, isString, readList } from '../checks/check-options.js';
import { Random } from './random.js';
import { GAP, RELEVANCE_CHECKS, mean, total } from './scorer.js';
import type { RelevanceOptions, Scorer } from './scorer.js';

export interface AttributeOptions extends RelevanceOptions {
  /** What was asked, between the passages and the answer. */
  question?: string | undefined;
  /** Random orders in which passages arrive. Default 5. */
  orders?: number | undefined;
  /** How many passages are looked for. Default 5. */
  top?: number | undefined;
  /** Of the orders. Default 1. */
  seed?: number | undefined;
}

export interface Contribution {
  /** Where the passage stands in the list that was given. */
  index: number;
  /** How much the passage adds to the answer's log-probability, in nats. */
  contribution: number;
}

/** Share of a passage's arrivals that count, the largest ones. */
const COUNTED = 0.2;

/**
 * The passages that contribute most to an answer, first the one that does most.
 *
 * @example
 * import { attribute } from 'cachalot';
 * const passages = ['The red button starts it.', 'It was made in 1920.'];
 * const [cause] = await attribute(engine, passages, 'Press the red button.', { top: 1 });
 * console.log(`This was said because of: ${passages[cause.index]}`);
 */
export async function attribute(
  scorer: Scorer,
  passages: readonly string[],
  answer: string,
  options: AttributeOptions = {},
): Promise<Contribution[]> {
  const checks = {
    ...RELEVANCE_CHECKS,
    question: isString,
    orders: integerIn(1, 100),
    top: integerIn(1, 1000),
    seed: integerIn(0, 2 ** 31),
  };
  const checked = checkOptions(options, checks);
  const { question = '', orders = 5, top = 5, seed = 1, signal } = checked;
  const texts = readList('passages', passages, 'an array of texts', (item, i) =>
    isString(`passages[${i}]`, item),
  );
  const measure = measureWith(scorer, texts, `${question === '' ? '' : question + GAP}`, {
    answer: isString('answer', answer),
    signal,
  });
  let groups = halves(
    [...texts.keys()].map((index) => [index]),
    2 * top,
  );
  const random = new Random(seed);
  for (;;) {
    const contributions = await shapley(groups, measure, orders, random);
    const order = [...groups.keys()].sort((a, b) => contributions[b]! - contributions[a]!);
    const isDone = groups.every((group) => group.length === 1);
    if (isDone)
      return order
        .slice(0, top)
        .map((at) => ({ index: groups[at]![0]!, contribution: contributions[at]! }));
    groups = order.slice(0, top).flatMap((at) => split(groups[at]!));
  }
}

type Measure = (subsets: readonly (readonly number[])[]) => Promise<number[]>;

/** The answer's log-probability after some passages, in the order of the text. Subsets that were measured are not measured again. */
function measureWith(
  scorer: Scorer,
  texts: readonly string[],
  question: string,
  { answer, signal }: { answer: string; signal: AbortSignal | undefined },
): Measure {
  const known = new Map<string, number>();
  return async (subsets) => {
    const keys = subsets.map((subset) => [...subset].sort((a, b) => a - b).join(','));
    const missing = [...new Set(keys)].filter((key) => !known.has(key));
    const items = missing.map((key) => {
      const chosen = key === '' ? [] : key.split(',').map((index) => texts[Number(index)]! + GAP);
      // With something before it, every token of the answer is scored, also where the model has no first token.
      const prefix = `${chosen.join('')}${question}`;
      return { text: answer, prefix: prefix === '' ? GAP : prefix };
    });
    const scores = items.length === 0 ? [] : await scorer.scoreBatch(items, { signal });
    for (const [i, { logprobs }] of scores.entries()) known.set(missing[i]!, total(logprobs));
    return keys.map((key) => known.get(key)!);
  };
}

/** For each group, the mean of its largest contributions over random orders of arrival. */
async function shapley(
  groups: readonly number[][],
  measure: Measure,
  orders: number,
  random: Random,
): Promise<number[]> {
  const arrivals = Array.from({ length: orders }, () => random.shuffled([...groups.keys()]));
  const subsets = arrivals.flatMap((order) =>
    Array.from({ length: order.length + 1 }, (_, n) =>
      order.slice(0, n).flatMap((at) => groups[at]!),
    ),
  );
  const values = await measure(subsets);
  const added: number[][] = groups.map(() => []);
  for (const [i, order] of arrivals.entries())
    for (const [n, at] of order.entries()) {
      const first = i * (order.length + 1) + n;
      added[at]!.push(values[first + 1]! - values[first]!);
    }
  const counted = Math.max(1, Math.round(COUNTED * orders));
  return added.map((own) => mean(own.sort((a, b) => b - a).slice(0, counted)));
}

/** Groups of neighbours, at most so many. */
function halves(singles: number[][], most: number): number[][] {
  if (singles.length <= most) return singles;
  const size = Math.ceil(singles.length / most);
  return Array.from({ length: Math.ceil(singles.length / size) }, (_, i) =>
    singles.slice(i * size, (i + 1) * size).flat(),
  );
}

function split(group: readonly number[]): number[][] {
  if (group.length === 1) return [[...group]];
  const middle = Math.ceil(group.length / 2);
  return [group.slice(0, middle), group.slice(middle)];
}
