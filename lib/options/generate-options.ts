/** Options of everything that generates, with their defaults and limits in one place. */
import {
  checkOptions,
  integerIn,
  isIntegerList,
  isBoolean,
  isSignal,
  isName,
  isStopList,
  notSupportedYet,
  ownOnly,
} from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import { samplingChecks } from './sampling-options.js';
import type { SamplingOptions } from './sampling-options.js';
import { isTemplateOptions } from '../chat/template-options.js';
import type { TemplateOptions } from '../chat/template-options.js';

/** Of 0 to 100, as native/kv/segment.h has it. */
export const DEFAULT_PRIORITY = 35;

export interface GenerateOptions extends SamplingOptions {
  /** The most tokens to generate. Default: until the model stops or the context is full. */
  maxTokens?: number | undefined;
  /** Text that ends the answer; it is not part of it. */
  stop?: string | readonly string[] | undefined;
  /** Ids that end the answer, besides the model's own end of text. */
  stopTokens?: readonly number[] | undefined;
  /** Goes on past the model's own end of text, for measurements. Default false. */
  ignoreEos?: boolean | undefined;
  /** Whether names of special tokens in the prompt ("<|im_end|>") mean those tokens. Default false: they are text. */
  specialTokens?: boolean | undefined;
  /** 0 to 100: higher ones run first, and others make room for them. Default 35. */
  priority?: number | undefined;
  /** Fails with code "deadline_exceeded" if it is not done so many milliseconds after it was asked for (an item of a batch: after its turn has come). */
  deadlineMs?: number | undefined;
  /** Part of what the cache finds by, for several tenants on one engine. Default: the engine's. */
  namespace?: string | undefined;
  /** Ends the generation: it then fails with code "aborted". */
  signal?: AbortSignal | undefined;
}

export interface ChatOptions extends GenerateOptions {
  /** Variables of the chat template, such as `enable_thinking`. */
  templateOptions?: TemplateOptions | undefined;
}

export const generateChecks: Record<string, Check> = {
  maxTokens: integerIn(1, 2 ** 30),
  ...samplingChecks,
  stop: isStopList,
  stopTokens: isIntegerList,
  ignoreEos: isBoolean,
  specialTokens: isBoolean,
  priority: integerIn(0, 100),
  deadlineMs: integerIn(1, 2 ** 31),
  namespace: isName,
  signal: isSignal,
  draft: notSupportedYet,
  adapters: notSupportedYet,
  schema: notSupportedYet,
  tools: notSupportedYet,
  logitsProcessor: notSupportedYet,
};

export const chatChecks: Record<string, Check> = {
  ...generateChecks,
  templateOptions: isTemplateOptions,
};

export interface ResolvedOptions {
  maxTokens: number;
  sampling: SamplingOptions;
  stop: string[];
  stopTokens: ArrayLike<number>;
  ignoreEos: boolean;
  specialTokens: boolean;
  templateOptions: TemplateOptions;
  priority: number;
  deadlineMs: number;
  namespace: string | undefined;
  signal: AbortSignal | undefined;
}

/** Reads and checks what is given; throws invalid_argument or not_supported. */
export function resolveGenerateOptions(given: GenerateOptions): ResolvedOptions {
  return withDefaults(checkOptions(given, generateChecks));
}

/** The same of options for a conversation. */
export function resolveChatOptions(given: ChatOptions): ResolvedOptions {
  return withDefaults(checkOptions(given, chatChecks));
}

/** Of options as their checks have given them. */
export function withDefaults(given: Readonly<ChatOptions>): ResolvedOptions {
  const options = ownOnly(given);
  return {
    maxTokens: options.maxTokens ?? 2 ** 30,
    sampling: options,
    stop: [options.stop ?? []].flat(),
    stopTokens: options.stopTokens ?? [],
    ignoreEos: options.ignoreEos ?? false,
    specialTokens: options.specialTokens ?? false,
    templateOptions: options.templateOptions ?? {},
    priority: options.priority ?? DEFAULT_PRIORITY,
    deadlineMs: options.deadlineMs ?? 0,
    namespace: options.namespace,
    signal: options.signal,
  };
}
