/** Options of everything that generates, with their defaults and limits in one place. */
import {
  checkOptions,
  integerIn,
  isIntegerList,
  isBoolean,
  isSignal,
  isStopList,
  notSupportedYet,
} from './check-options.js';
import type { Check } from './check-options.js';
import { samplingChecks } from './sampling-options.js';
import type { SamplingOptions } from './sampling-options.js';

export interface GenerateOptions extends SamplingOptions {
  /** The most tokens to generate. Default: until the model stops or the context is full. */
  maxTokens?: number;
  /** Text that ends the answer; it is not part of it. */
  stop?: string | string[];
  /** Ids that end the answer, besides the model's own end of text. */
  stopTokens?: readonly number[];
  /** Goes on past the model's own end of text, for measurements. Default false. */
  ignoreEos?: boolean;
  /** Whether names of special tokens in the prompt ("<|im_end|>") mean those tokens. Default false: they are text. */
  specialTokens?: boolean;
  /** Ends the generation: it then fails with code "aborted". */
  signal?: AbortSignal;
}

export const generateChecks: Record<string, Check> = {
  maxTokens: integerIn(1, 2 ** 30),
  ...samplingChecks,
  stop: isStopList,
  stopTokens: isIntegerList,
  ignoreEos: isBoolean,
  specialTokens: isBoolean,
  signal: isSignal,
  draft: notSupportedYet,
  adapters: notSupportedYet,
  schema: notSupportedYet,
  tools: notSupportedYet,
  logitsProcessor: notSupportedYet,
};

export interface ResolvedOptions {
  maxTokens: number;
  sampling: SamplingOptions;
  stop: string[];
  stopTokens: readonly number[];
  ignoreEos: boolean;
  specialTokens: boolean;
  signal: AbortSignal | undefined;
}

export function resolveGenerateOptions(given: GenerateOptions): ResolvedOptions {
  checkOptions(given, generateChecks);
  const options = { ...given }; // what was checked: own keys
  return {
    maxTokens: options.maxTokens ?? 2 ** 30,
    sampling: {
      ...options,
      ...(options.dry ? { dry: { ...options.dry } } : {}),
      ...(options.logitBias ? { logitBias: { ...options.logitBias } } : {}),
    },
    stop: options.stop === undefined ? [] : [options.stop].flat(),
    stopTokens: Array.from(options.stopTokens ?? []),
    ignoreEos: options.ignoreEos ?? false,
    specialTokens: options.specialTokens ?? false,
    signal: options.signal,
  };
}
