/** How tokens are drawn: options, limits and defaults in one place. docs/engine.md says in what order they act. */
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

/** Don't Repeat Yourself: makes what would lengthen a repetition less likely, the more so the longer it is. */
export interface DryOptions {
  /** Strength; 0 (default) is off, 0.8 is usual. */
  multiplier?: number | undefined;
  /** The penalty is multiplier * base ^ (length - allowedLength). Default 1.75. */
  base?: number | undefined;
  /** Repetitions up to so many tokens are free. Default 2. */
  allowedLength?: number | undefined;
  /** How many of the last tokens are looked at. Default: all. */
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
  /** Draws among the tokens of usual surprise that together have this probability. Default 1: all. */
  typicalP?: number | undefined;
  /** Divides the logits of tokens in prompt and answer; above 1 avoids them. Default 1. */
  repetitionPenalty?: number | undefined;
  /** Taken off a token's logit for each time that it is in the answer. Default 0. */
  frequencyPenalty?: number | undefined;
  /** Taken off a token's logit if it is in the answer. Default 0. */
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

/** Not a Map, a list or an object of a class. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

const isBreakers: Check<string[]> = (name, value) => {
  const items = readList(name, value, 'an array of strings', (item) => item);
  return items.length === 0 ? [] : isStopList(name, items);
};

const MAX_COUNT = 2 ** 30;

export const dryChecks: Record<string, Check> = {
  multiplier: numberIn(0, 100),
  base: numberIn(1, 10),
  allowedLength: integerIn(1, MAX_COUNT),
  window: integerIn(0, MAX_COUNT),
  breakers: isBreakers,
};

export const samplingChecks: Record<string, Check> = {
  temperature: numberIn(0, 100),
  topK: integerIn(0, MAX_COUNT),
  topP: numberIn(0, 1),
  minP: numberIn(0, 1),
  typicalP: numberIn(0, 1),
  repetitionPenalty: numberIn(0.01, 100),
  frequencyPenalty: numberIn(-100, 100),
  presencePenalty: numberIn(-100, 100),
  penaltyWindow: integerIn(0, MAX_COUNT),
  dry: (name, value) => checkOptions(value as object, dryChecks, `${name}.`),
  logitBias: isBias,
  seed: integerIn(0, Number.MAX_SAFE_INTEGER),
  topLogprobs: integerIn(0, 20),
};

/** What a request without sampling options has. */
export const GREEDY: NativeSampling = {
  biasTokens: new Int32Array(0),
  biasValues: new Float32Array(0),
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  penaltyWindow: 0,
  dryMultiplier: 0,
  dryBase: 1.75,
  dryAllowedLength: 2,
  dryWindow: 0,
  dryBreakers: new Int32Array(0),
  temperature: 0,
  topK: 0,
  typicalP: 1,
  topP: 1,
  minP: 0,
  seed: 0,
  completion: 0,
  topLogprobs: 0,
};

export const DRY_BREAKERS = ['\n', ':', '"', '*'];

/** The strings whose tokens end a repetition for DRY, if it acts at all. */
export function dryBreakers({ dry }: SamplingOptions): readonly string[] | undefined {
  return (dry?.multiplier ?? 0) > 0 ? (dry?.breakers ?? DRY_BREAKERS) : undefined;
}

/** `options` have been checked; `breakers` are the tokens that `dryBreakers` are in. */
export function resolveSampling(
  options: SamplingOptions,
  breakers: Int32Array | undefined,
  vocabulary: number,
): NativeSampling {
  const { dry, logitBias } = options;
  const bias = Object.entries(logitBias ?? {});
  const nForbidden = bias.filter(([, value]) => value === -Infinity).length;
  if (nForbidden >= vocabulary)
    throw new CachalotError(
      'invalid_argument',
      `\`logitBias\` forbids every token of the vocabulary, which has ${vocabulary}`,
    );
  const given = Object.fromEntries(
    Object.entries(options).filter(([key, value]) => key in GREEDY && value !== undefined),
  ) as Partial<NativeSampling>;
  return {
    ...GREEDY,
    seed: Math.floor(Math.random() * Number.MAX_SAFE_INTEGER),
    ...given,
    biasTokens: Int32Array.from(bias, ([id]) => Number(id)),
    biasValues: Float32Array.from(bias, ([, value]) => value),
    dryMultiplier: dry?.multiplier ?? GREEDY.dryMultiplier,
    dryBase: dry?.base ?? GREEDY.dryBase,
    dryAllowedLength: dry?.allowedLength ?? GREEDY.dryAllowedLength,
    dryWindow: dry?.window ?? GREEDY.dryWindow,
    dryBreakers: breakers ?? GREEDY.dryBreakers,
  };
}
