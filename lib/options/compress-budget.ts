/** How many keys a compression may keep, and how they are divided: the options that most policies have. */
import {
  checkOptions,
  integerIn,
  isIntegerList,
  numberIn,
  oneOf,
} from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';

export interface Budgeted {
  /** The share of all tokens so far whose keys stay, up to 1. Either this or `budget`. */
  keep?: number | undefined;
  /** How many keys of a head stay, however long the context becomes. */
  budget?: number | undefined;
  /**
   * How keys are divided: as many for each head ("uniform", the default), fewer the higher a layer stands ("pyramid": PyramidKV,
   * arXiv 2406.02069), or as many as hold the same share of what each head reads ("mass", the search of PrefixKV, arXiv 2412.03409), or as many for each
   * layer, and in it the more for a head, the more of the layer's best keys it has ("heads": Ada-KV, arXiv 2407.11550). The bytes are the same.
   */
  split?: 'uniform' | 'pyramid' | 'mass' | 'heads' | undefined;
  /** Keys that stay in any case: the first 4 and the last 32 by default, fewer if the budget is small. */
  protect?: { first?: number | undefined; last?: number | undefined } | undefined;
  /** Compresses, besides at the end of the prompt, after so many of its tokens, ascending: where earlier turns of a conversation ended. A session does that by itself. */
  at?: readonly number[] | undefined;
  /** Compresses again whenever the context has grown to a multiple of so many tokens. Default: only at the end of a prompt. */
  every?: number | undefined;
}

const MOST_TOKENS = 2 ** 24;
const FIRST = 4;
const LAST = 32;

const isShare: Check<number> = (name, value) => {
  const share = numberIn(0, 1)(name, value);
  if (share < 1e-6) throw invalidArgument(name, 'a number from 0.000001 to 1', value);
  return share;
};

export const BUDGETED = {
  keep: isShare,
  budget: integerIn(1, MOST_TOKENS),
  split: oneOf('uniform', 'pyramid', 'mass', 'heads'),
  protect: ((name, value) =>
    checkOptions(
      value as object,
      { first: integerIn(0, MOST_TOKENS), last: integerIn(0, MOST_TOKENS) },
      `${name}.`,
    )) as Check,
  at: ((name, value) => {
    const indices = isIntegerList(name, value);
    const isAscending = indices.every((index, i) => index > (i === 0 ? 0 : indices[i - 1]!));
    if (!isAscending) throw invalidArgument(name, 'ascending numbers of at least 1', value);
    return indices;
  }) as Check,
  every: integerIn(32, MOST_TOKENS),
};

const SPLITS = ['uniform', 'pyramid', 'mass', 'heads'];

/** As C++ receives it; native/kv/policies/budget.h. */
export function budgetOf(name: string, given: Budgeted): number[] {
  const { keep, budget, split = 'uniform', protect = {} } = given;
  if ((keep === undefined) === (budget === undefined))
    throw invalidArgument(name, 'either `keep` or `budget`', keep ?? budget);
  const { first = Math.min(FIRST, (budget ?? 4 * FIRST) >> 2) } = protect;
  const { last = Math.min(LAST, (budget ?? 2 * LAST) >> 1) } = protect;
  if (budget !== undefined && first + last > budget)
    throw invalidArgument(`${name}.protect`, `at most the budget of ${budget} keys`, first + last);
  return [Math.round((keep ?? 0) * 1e6), budget ?? 0, SPLITS.indexOf(split), first, last];
}
