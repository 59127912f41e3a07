/** How tokens are drawn: options, limits, defaults and flags in one place. docs/engine.md says in what order they act. */
import {
  checkOptions,
  integerIn,
  isStopList,
  numberIn,
  readList,
  reading,
} from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import { CachalotError, invalidArgument } from '../errors.js';
import type { NativeSampling } from '../native.js';
import { checksOf, fillIn, nativeFields } from './option-table.js';
import type { OptionTable } from './option-table.js';

/** Don't Repeat Yourself: makes a token that would lengthen a repetition less likely, the more so the longer the repetition is. */
export interface DryOptions {
  /** Strength; 0 (default) is off, 0.8 is usual. */
  multiplier?: number | undefined;
  /** The penalty is multiplier * base ^ (length - allowedLength). Default 1.75. */
  base?: number | undefined;
  /** Repetitions of up to so many tokens have no penalty. Default 2. */
  allowedLength?: number | undefined;
  /** How many of the last tokens are searched for repetitions. Default: all. */
  window?: number | undefined;
  /** Text at which a repetition ends. Default: a new line, ":", a double quote and "*". */
  breakers?: readonly string[] | undefined;
}

export interface SamplingOptions {
  /** 0 (default) takes the likeliest token; higher values draw more freely. */
  temperature?: number | undefined;
  /** Draws among so many of the likeliest tokens. Default 0: all. */
  topK?: number | undefined;
  /** Draws among the likeliest tokens that together have this probability. Default 1: all. */
  topP?: number | undefined;
  /** Leaves out tokens with less than this share of the likeliest token's probability. Default 0. */
  minP?: number | undefined;
  /** Draws among the tokens nearest to the expected surprise that together have this probability. Default 1: all. */
  typicalP?: number | undefined;
  /** Divides the logits of tokens in prompt and answer; above 1 avoids them. Default 1. */
  repetitionPenalty?: number | undefined;
  /** Subtracted from a token's logit for each time that it is in the answer. Default 0. */
  frequencyPenalty?: number | undefined;
  /** Subtracted from a token's logit if it is in the answer. Default 0. */
  presencePenalty?: number | undefined;
  /** How many of the last tokens the three penalties look at. Default: all. */
  penaltyWindow?: number | undefined;
  dry?: DryOptions | undefined;
  /** Added to the logits of tokens, by id; -Infinity forbids one. */
  logitBias?: Readonly<Record<number, number>> | undefined;
  /** Makes draws repeatable: the same seed gives the same text, whatever else the engine does. Default: random. */
  seed?: number | undefined;
  /** Reports so many of the likeliest tokens with each token (at most 20). Default 0. */
  topLogprobs?: number | undefined;
}

const MAX_BIASES = 65_536;

const isBias: Check<Record<number, number>> = (name, value) =>
  reading(name, () => {
    const wrong = () =>
      invalidArgument(name, 'an object of numbers from -1000 to 1000 by token id', value);
    if (typeof value !== 'object' || value === null || !isPlain(value)) throw wrong();
    const ids = Object.keys(value);
    if (ids.length > MAX_BIASES) throw wrong();
    const biases = Object.create(null) as Record<string, number>;
    for (const id of ids) {
      const bias = (value as Record<string, unknown>)[id];
      if (!/^\d{1,9}$/.test(id) || typeof bias !== 'number') throw wrong();
      if (bias !== -Infinity && !(Math.abs(bias) <= 1000)) throw wrong();
      biases[id] = bias;
    }
    return biases;
  });

/** A plain object: not a Map, a list or an instance of a class. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

const isBreakers: Check<string[]> = (name, value) => {
  const items = readList(name, value, 'an array of strings', (item) => item);
  return items.length === 0 ? [] : isStopList(name, items);
};

const MAX_COUNT = 2 ** 30;

/** How repetitions are made less likely. */
export const DRY = {
  multiplier: {
    check: numberIn(0, 100),
    byDefault: 0,
    native: 'dryMultiplier',
    flag: {
      value: '<x>',
      help: 'strength of the penalty for what lengthens a repetition (DRY)',
    },
  },
  base: { check: numberIn(1, 10), byDefault: 1.75, native: 'dryBase' },
  allowedLength: { check: integerIn(1, MAX_COUNT), byDefault: 2, native: 'dryAllowedLength' },
  window: { check: integerIn(0, MAX_COUNT), byDefault: 0, native: 'dryWindow' },
  breakers: { check: isBreakers, byDefault: ['\n', ':', '"', '*'] },
} as const satisfies OptionTable<keyof DryOptions>;

const dryChecks = checksOf(DRY);

/** How tokens are drawn. */
export const SAMPLING = {
  temperature: {
    check: numberIn(0, 100),
    byDefault: 0,
    native: 'temperature',
    flag: { value: '<t>', help: 'how freely to draw; 0 takes the likeliest token (default: 0)' },
  },
  topK: {
    check: integerIn(0, MAX_COUNT),
    byDefault: 0,
    native: 'topK',
    flag: { value: '<k>', help: 'draw among so many of the likeliest tokens' },
  },
  topP: {
    check: numberIn(0, 1),
    byDefault: 1,
    native: 'topP',
    flag: { value: '<p>', help: 'draw among the likeliest tokens of this probability together' },
  },
  minP: {
    check: numberIn(0, 1),
    byDefault: 0,
    native: 'minP',
    flag: {
      value: '<p>',
      help: "leave out tokens below this share of the likeliest one's probability",
    },
  },
  typicalP: {
    check: numberIn(0, 1),
    byDefault: 1,
    native: 'typicalP',
    flag: {
      value: '<p>',
      help: 'draw among tokens of usual surprise of this probability together',
    },
  },
  repetitionPenalty: {
    check: numberIn(0.01, 100),
    byDefault: 1,
    native: 'repetitionPenalty',
    flag: { value: '<x>', help: 'divide the logits of tokens that were there before' },
  },
  frequencyPenalty: {
    check: numberIn(-100, 100),
    byDefault: 0,
    native: 'frequencyPenalty',
    flag: { value: '<x>', help: 'take off for each time a token is in the answer' },
  },
  presencePenalty: {
    check: numberIn(-100, 100),
    byDefault: 0,
    native: 'presencePenalty',
    flag: { value: '<x>', help: 'take off if a token is in the answer' },
  },
  penaltyWindow: {
    check: integerIn(0, MAX_COUNT),
    byDefault: 0,
    native: 'penaltyWindow',
    flag: { value: '<n>', help: 'how many of the last tokens the penalties look at' },
  },
  dry: { check: (name, value) => checkOptions(value as DryOptions, dryChecks, `${name}.`) },
  logitBias: { check: isBias },
  seed: {
    check: integerIn(0, Number.MAX_SAFE_INTEGER),
    byDefault: 0,
    native: 'seed',
    flag: { value: '<n>', help: 'makes draws repeatable' },
  },
  topLogprobs: { check: integerIn(0, 20), byDefault: 0, native: 'topLogprobs' },
} as const satisfies OptionTable<keyof SamplingOptions>;

/** The values of a request without sampling options. */
export const GREEDY: NativeSampling = {
  ...nativeFields(SAMPLING, {}),
  ...nativeFields(DRY, {}),
  biasTokens: new Int32Array(0),
  biasValues: new Float32Array(0),
  dryBreakers: new Int32Array(0),
  completion: 0,
};

/** The strings whose tokens end a repetition for DRY, if DRY is on. */
export function dryBreakers({ dry }: SamplingOptions): readonly string[] | undefined {
  const { multiplier, breakers } = fillIn(DRY, dry ?? {});
  return multiplier > 0 ? breakers : undefined;
}

/** `options` have been checked; `breakers` are the tokens whose text contains one of `dryBreakers`. */
export function resolveSampling(
  options: SamplingOptions,
  breakers: Int32Array | undefined,
  vocabulary: number,
): NativeSampling {
  const { dry, logitBias, seed = randomSeed() } = options;
  const bias = Object.entries(logitBias ?? {});
  const nForbidden = bias.filter(([, value]) => value === -Infinity).length;
  if (nForbidden >= vocabulary)
    throw new CachalotError(
      'invalid_argument',
      `\`logitBias\` forbids every token of the vocabulary, which has ${vocabulary}`,
    );
  return {
    ...GREEDY,
    ...nativeFields(SAMPLING, { ...options, seed }),
    ...nativeFields(DRY, dry ?? {}),
    biasTokens: Int32Array.from(bias, ([id]) => Number(id)),
    biasValues: Float32Array.from(bias, ([, value]) => value),
    dryBreakers: breakers ?? GREEDY.dryBreakers,
  };
}

/** For requests that do not say how to draw. */
export function randomSeed(): number {
  return Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
}
