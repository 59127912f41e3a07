/** Options of everything that generates, with their defaults and limits in one place. */
import {
  checkOptions,
  integerIn,
  isIntegerList,
  isBoolean,
  isSignal,
  isStopList,
  notSupportedYet,
  numberIn,
} from './check-options.js';
import type { Check } from './check-options.js';

export interface GenerateOptions {
  /** The most tokens to generate. Default: until the model stops or the context is full. */
  maxTokens?: number;
  /** 0 (default) takes the likeliest token; higher values draw more freely. */
  temperature?: number;
  /** Makes draws repeatable: the same seed gives the same text, whatever else the engine does. Default: random. */
  seed?: number;
  /** Text that ends the answer; it is not part of it. */
  stop?: string | string[];
  /** Ids that end the answer, besides the model's own end of text. */
  stopTokens?: readonly number[];
  /** Goes on past the model's own end of text, for measurements. Default false. */
  ignoreEos?: boolean;
  /** Ends the generation: it then fails with code "aborted". */
  signal?: AbortSignal;
}

export const generateChecks: Record<string, Check> = {
  maxTokens: integerIn(1, 2 ** 30),
  temperature: numberIn(0, 100),
  seed: integerIn(0, Number.MAX_SAFE_INTEGER),
  stop: isStopList,
  stopTokens: isIntegerList,
  ignoreEos: isBoolean,
  signal: isSignal,
  draft: notSupportedYet,
  adapters: notSupportedYet,
  schema: notSupportedYet,
  tools: notSupportedYet,
  logitsProcessor: notSupportedYet,
};

export interface ResolvedOptions {
  maxTokens: number;
  temperature: number;
  seed: number;
  stop: string[];
  stopTokens: readonly number[];
  ignoreEos: boolean;
  signal: AbortSignal | undefined;
}

export function resolveGenerateOptions(given: GenerateOptions): ResolvedOptions {
  checkOptions(given, generateChecks);
  const options = { ...given }; // what was checked: own keys
  return {
    maxTokens: options.maxTokens ?? 2 ** 30,
    temperature: options.temperature ?? 0,
    seed: options.seed ?? Math.floor(Math.random() * Number.MAX_SAFE_INTEGER),
    stop: options.stop === undefined ? [] : [options.stop].flat(),
    stopTokens: options.stopTokens ?? [],
    ignoreEos: options.ignoreEos ?? false,
    signal: options.signal,
  };
}
