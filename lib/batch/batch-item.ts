/** One prompt of a batch, before and after it has become tokens. */
import { checkMessages } from '../chat/messages.js';
import type { Message } from '../chat/messages.js';
import { checkOptions, isIntegerList, reading } from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import type { EngineParts, Prompt } from '../engine/engine-parts.js';
import { continued } from '../engine/engine-parts.js';
import { contextChecks, givenContext } from '../engine/given-context.js';
import type { ContextChoice, GivenContext } from '../engine/given-context.js';
import { invalidArgument } from '../errors.js';
import type { Generation } from '../generation/generation.js';
import { newGeneration } from '../generation/object-generation.js';
import type { GenerationSource } from '../generation/generation-source.js';
import { mostTokensOf } from '../options/edit-schedule.js';
import { chatChecks, withDefaults } from '../options/generate-options.js';
import type { ChatOptions, ResolvedOptions } from '../options/generate-options.js';
import { either } from '../signals/abort.js';

/** A prompt with its own options, which override those of the batch. */
export interface BatchRequest extends ChatOptions, ContextChoice {
  /** Text to continue, or messages for the model's chat template. */
  prompt?: string | readonly Message[] | undefined;
  /** The prompt as token ids, instead of `prompt`. */
  tokens?: readonly number[] | undefined;
}

/** A string is text to continue; messages are put into the model's chat template. */
export type BatchItem = string | readonly Message[] | BatchRequest;

/** A valid prompt, as tokens. */
export interface PreparedItem {
  prompt: Prompt;
  namespace: string;
  options: ResolvedOptions;
}

/** A copy of an item, since its owner may change it while it waits. An invalid item fails alone, when its turn comes. */
export type ReadItem =
  | { prompt: string | readonly Message[]; given: GivenContext | undefined; own: ChatOptions }
  | { tokens: Int32Array; given: GivenContext | undefined; own: ChatOptions }
  | { error: unknown };

const itemChecks: Record<string, Check> = {
  ...chatChecks,
  prompt: (_, value) => (typeof value === 'string' ? value : checkMessages(value)),
  tokens: isIntegerList,
  ...contextChecks,
};

export function readItem(item: unknown, index: number): ReadItem {
  if (item === undefined) throw invalidArgument(`prompts[${index}]`, 'a prompt', item);
  try {
    return reading(`prompts[${index}]`, () => readRequest(item));
  } catch (error) {
    return { error };
  }
}

function readRequest(item: unknown): ReadItem {
  const isPrompt = typeof item === 'string' || Array.isArray(item);
  const given = (isPrompt ? { prompt: item } : item) as BatchRequest;
  const { prompt, tokens, context, combine, ...own } = checkOptions(given, itemChecks);
  const before = { given: givenContext({ context, combine }), own };
  if (prompt !== undefined && tokens === undefined) return { prompt, ...before };
  if (tokens !== undefined && prompt === undefined)
    return { tokens: tokens as unknown as Int32Array, ...before };
  throw invalidArgument('prompt', 'either `prompt` or `tokens`', prompt ?? tokens);
}

/** Turns an item into tokens. Throws an error of this item alone. `shared` has been checked. */
export async function prepare(
  engine: EngineParts,
  item: ReadItem,
  shared: ChatOptions,
): Promise<PreparedItem> {
  if ('error' in item) throw item.error;
  const { given, own } = item;
  const options = withDefaults({ ...shared, ...own });
  const before = engine.before(given);
  const namespace = engine.namespaceOf(options.namespace, given);
  if ('tokens' in item) return { prompt: continued(before, item.tokens), namespace, options };
  const { signal, release } = either(options.signal, shared.signal);
  try {
    const { specialTokens, templateOptions } = options;
    const mostTokens = mostTokensOf(
      options.compress,
      engine.core.native.description().contextLength,
    );
    const how = { before, specialTokens, templateOptions, signal, mostTokens };
    const prompt =
      typeof item.prompt === 'string'
        ? await engine.encodeText(item.prompt, how)
        : await engine.encodeConversation(item.prompt, how);
    return { prompt, namespace, options };
  } finally {
    release();
  }
}

export function startItem(
  { core, tokenizer, tokensWith, drafting, grammars }: EngineParts,
  { prompt, namespace, options }: PreparedItem,
  { completion, place, signal }: Pick<GenerationSource, 'completion' | 'place' | 'signal'>,
): Generation {
  const text = { tokenizer, tokensWith, drafting, grammars, prompt: () => prompt };
  return newGeneration(
    { kind: 'batch', core, namespace, completion, place, signal, ...text },
    options,
  );
}
