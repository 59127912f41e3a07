/** Which heads of a model look things up in their context, and the compression that keeps all keys of these. */
import { checkOptions, integerIn, isString, readList } from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';
import type { Budgeted } from './compress-budget.js';

/** What `cachalot heads` finds of a model; JSON. */
export interface HeadProfile {
  /** The model's name, for people. */
  model: string;
  layers: number;
  kvHeads: number;
  /** Of each KV head, layer by layer in the engine's order: the share of its attention that goes to what the same tokens were followed by before. */
  scores: readonly number[];
}

/** Keeps all keys of the heads that look things up; of the others the first and the last, and one that stands for all between (RazorAttention, arXiv 2407.15891). */
export interface RazorCompression extends Pick<Budgeted, 'at' | 'every'> {
  policy: 'razor';
  /** Of this model. */
  heads: HeadProfile;
  /** The share of heads that keep all. Default 0.15. */
  retrieval?: number | undefined;
  /** First keys that stay. Default 4. */
  sinks?: number | undefined;
  /** Of the last keys stay 1 of so many of all tokens ... Default 5. */
  divisor?: number | undefined;
  /** ... and at least so many. Default 128. */
  least?: number | undefined;
}

const MOST_HEADS = 1 << 16;

export const isHeadProfile: Check<HeadProfile> = (name, value) => {
  const isScore: Check<readonly number[]> = (at, list) =>
    readList(at, list, 'an array of numbers', (item) => {
      if (typeof item !== 'number' || !Number.isFinite(item))
        throw invalidArgument(at, 'an array of finite numbers', item);
      return item;
    });
  const checks = {
    model: isString,
    layers: integerIn(1, MOST_HEADS),
    kvHeads: integerIn(1, MOST_HEADS),
    scores: isScore,
  };
  const profile = checkOptions(value as HeadProfile, checks, `${name}.`);
  const { layers, kvHeads, scores } = profile;
  if (scores === undefined || scores.length !== layers * kvHeads)
    throw invalidArgument(`${name}.scores`, 'one for each KV head of each layer', scores);
  return profile;
};

const RETRIEVAL = 0.15;

/** As C++ receives them; native/kv/policies/razor.h. */
export function razorOptions(given: Readonly<RazorCompression>): number[] {
  const { heads, retrieval = RETRIEVAL, sinks = 4, least = 128, divisor = 5 } = given;
  const order = heads.scores.map((_, head) => head);
  order.sort((a, b) => heads.scores[b]! - heads.scores[a]! || a - b);
  const whole = new Set(order.slice(0, Math.round(retrieval * order.length)));
  return [sinks, least, divisor, ...heads.scores.map((_, head) => (whole.has(head) ? 1 : 0))];
}

/** 1 for the best n heads of each layer. */
export function decidingHeads({ layers, kvHeads, scores }: HeadProfile, n: number): number[] {
  const flags = new Array<number>(layers * kvHeads).fill(0);
  for (let layer = 0; layer < layers; layer++) {
    const heads = Array.from({ length: kvHeads }, (_, i) => layer * kvHeads + i);
    heads.sort((a, b) => scores[b]! - scores[a]! || a - b);
    for (const head of heads.slice(0, n)) flags[head] = 1;
  }
  return flags;
}
