/** Options of all methods that generate, with their defaults and limits in one place. */
import { isTemplateOptions } from '../chat/template-options.js';
import type { TemplateOptions } from '../chat/template-options.js';
import {
  checkOptions,
  integerIn,
  isIntegerList,
  isBoolean,
  isSignal,
  isName,
  isString,
  isUnicode,
  isStopList,
  notSupportedYet,
  ownOnly,
} from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';
import { isCompression } from './compress-options.js';
import type { Compression } from './compress-options.js';
import { isDraftContext } from './draft-context.js';
import type { DraftContext } from './draft-context.js';
import { isDraft, isPrediction } from './draft-options.js';
import type { Draft } from './draft-options.js';
import { isSchema } from './schema-option.js';
import type { SchemaInput } from './schema-option.js';
import { checksOf, fillIn } from './option-table.js';
import type { Filled, OptionTable } from './option-table.js';
import { SAMPLING } from './sampling-options.js';
import type { SamplingOptions } from './sampling-options.js';

/** From 0 to 100, as in native/kv/segment.h. */
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
  /** Fails with code "deadline_exceeded" if it is not done so many milliseconds after the call (an item of a batch: after its turn has come). */
  deadlineMs?: number | undefined;
  /** Part of the key under which the cache finds prompts, for several tenants on one engine. Default: the engine's. */
  namespace?: string | undefined;
  /** Reads fewer keys and values than the context has: the answer changes, and `usage.kv` says how many were read. Default: all. */
  compress?: Compression | undefined;
  /** Tries guesses of the next tokens, and keeps those that are right: the answer is the same, and comes faster. Default: the engine's. */
  draft?: Draft | undefined;
  /** Text that will perhaps be generated, such as a file that is to be changed in one place: as far as it is right, it comes faster. */
  prediction?: string | undefined;
  /** A regular expression (ECMAScript, flag "u") that the answer is as a whole: only tokens that go on with it are drawn. */
  regex?: string | undefined;
  /** A grammar in the notation of llama.cpp (GBNF): the answer as a whole is a text of its rule "root". */
  grammar?: string | undefined;
  /**
   * What the answer has to fit: a JSON Schema, or a schema of a library (zod, valibot, arktype) that implements Standard JSON Schema. The
   * answer is JSON, and the result's `object` is its value.
   */
  schema?: SchemaInput | undefined;
  /** Follows a draft model that reads a shorter context: the answer changes, and `usage.draftContext` says so. Default: none. */
  draftContext?: DraftContext | undefined;
  /** Ends the generation: it then fails with code "aborted". */
  signal?: AbortSignal | undefined;
}

export interface ChatOptions extends GenerateOptions {
  /** Variables of the chat template, such as `enable_thinking`. */
  templateOptions?: TemplateOptions | undefined;
}

/** C++ reads it, and says what is wrong with it. */
const sourceOf =
  (what: string, most: number): Check<string> =>
  (name, value) => {
    const text = isString(name, value);
    if (text.length > most || !isUnicode(text))
      throw invalidArgument(name, `${what} of at most ${most} characters`, value);
    return text;
  };

/** The options of a request except those that say how tokens are drawn. */
const REQUEST = {
  maxTokens: { check: integerIn(1, 2 ** 30), byDefault: 2 ** 30 },
  stop: { check: isStopList, byDefault: [] as string[] },
  stopTokens: { check: isIntegerList, byDefault: new Int32Array(0) },
  ignoreEos: { check: isBoolean, byDefault: false },
  specialTokens: { check: isBoolean, byDefault: false },
  priority: { check: integerIn(0, 100), byDefault: DEFAULT_PRIORITY },
  deadlineMs: { check: integerIn(1, 2 ** 31), byDefault: 0 },
  namespace: { check: isName },
  compress: { check: isCompression },
  draft: { check: isDraft },
  prediction: { check: isPrediction },
  regex: { check: sourceOf('a regular expression', 1 << 16) },
  grammar: { check: sourceOf('a grammar', 1 << 20) },
  schema: { check: isSchema },
  draftContext: { check: isDraftContext },
  signal: { check: isSignal },
} as const satisfies OptionTable<Exclude<keyof GenerateOptions, keyof SamplingOptions>>;

/** The same, for prompts that a chat template makes. */
const CHAT = {
  ...REQUEST,
  templateOptions: { check: isTemplateOptions, byDefault: {} },
} as const satisfies OptionTable;

const NOT_YET = {
  adapters: notSupportedYet,
  tools: notSupportedYet,
  logitsProcessor: notSupportedYet,
};

const { maxTokens, ...requestChecks } = checksOf(REQUEST);

/** In the order in which errors name them. */
export const generateChecks = {
  maxTokens,
  ...checksOf(SAMPLING),
  ...requestChecks,
  ...NOT_YET,
};

export const chatChecks = { ...generateChecks, templateOptions: CHAT.templateOptions.check };

export interface ResolvedOptions extends Filled<typeof CHAT> {
  sampling: SamplingOptions;
}

/** Reads and checks the options given; throws invalid_argument or not_supported. */
export function resolveGenerateOptions(given: GenerateOptions): ResolvedOptions {
  return withDefaults(checkOptions(given, generateChecks));
}

/** The same for options of a conversation. */
export function resolveChatOptions(given: ChatOptions): ResolvedOptions {
  return withDefaults(checkOptions(given, chatChecks));
}

/** What would make an answer something else than what one of them says. */
function refuseTogether({ schema, regex, grammar, stop }: Filled<typeof CHAT>): void {
  if (regex !== undefined && grammar !== undefined)
    throw invalidArgument('regex', 'nothing beside `grammar`', regex);
  if (schema === undefined) return;
  if (regex !== undefined) throw invalidArgument('regex', 'nothing beside `schema`', regex);
  if (grammar !== undefined) throw invalidArgument('grammar', 'nothing beside `schema`', grammar);
  if (stop.length > 0) throw invalidArgument('stop', 'nothing beside `schema`', stop);
}

/** Takes options that have been checked. */
export function withDefaults(given: Readonly<ChatOptions>): ResolvedOptions {
  const filled = fillIn(CHAT, given);
  refuseTogether(filled);
  return { ...filled, sampling: ownOnly(given) };
}
