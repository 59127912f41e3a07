/** One prompt of a batch: what it asks, before and after it has become tokens. */
import { either } from './abort.js';
import { isIntegerList } from './check-options.js';
import type { Context } from './context.js';
import type { EngineContext } from './engine-context.js';
import { concatenate } from './engine-context.js';
import { invalidArgument } from './errors.js';
import { resolveGenerateOptions } from './generate-options.js';
import type { GenerateOptions, ResolvedOptions } from './generate-options.js';
import { Generation } from './generation.js';
import type { GenerationSource } from './generation.js';
import { checkMessages } from './text/chat-template.js';
import type { Message } from './text/chat-template.js';

/** A prompt with options of its own, which come before those of the batch. */
export interface BatchRequest extends GenerateOptions {
  /** Text to continue, or messages for the model's chat template. */
  prompt?: string | Message[];
  /** Or the prompt as token ids. */
  tokens?: readonly number[];
  /** What stands before the prompt: its keys and values are shared by all who use it. */
  context?: Context;
}

/** A string is text to continue; messages are put into the model's chat template. */
export type BatchItem = string | Message[] | BatchRequest;

/** A prompt that may run. */
export interface PreparedItem {
  ids: Int32Array;
  namespace: string;
  options: ResolvedOptions;
  trimStart: boolean;
}

/** What an item says now; its owner may change it while it waits. */
export function snapshot(item: BatchItem): BatchItem {
  if (typeof item === 'string' || typeof item !== 'object' || item === null) return item;
  if (Array.isArray(item)) return copyMessages(item);
  const { prompt, tokens } = item;
  return {
    ...copyOptions(item),
    ...(Array.isArray(prompt) ? { prompt: copyMessages(prompt) } : {}),
    ...(isList(tokens) ? { tokens: tokens.slice() } : {}),
  };
}

/** Options as they are now, with copies of lists and objects in them. */
export function copyOptions<T extends GenerateOptions>(options: T): T {
  const { stop, stopTokens, logitBias, dry } = options;
  return {
    ...options,
    ...(Array.isArray(stop) ? { stop: [...stop] } : {}),
    ...(isList(stopTokens) ? { stopTokens: stopTokens.slice() } : {}),
    ...(isPlain(logitBias) ? { logitBias: { ...logitBias } } : {}),
    ...(isPlain(dry) ? { dry: { ...dry } } : {}),
  };
}

const isPlain = (value: unknown) => typeof value === 'object' && value !== null;

const isList = (value: unknown): value is readonly number[] =>
  Array.isArray(value) || value instanceof Int32Array;

/** What is no message stays as it is, and is refused when its turn comes. */
function copyMessages(messages: Message[]): Message[] {
  return messages.map((message) => {
    if (typeof message !== 'object' || message === null) return message;
    const { content } = message;
    const parts = Array.isArray(content) ? content.map((part) => ({ ...part })) : content;
    return { ...message, content: parts };
  });
}

/** Checks an item and makes its tokens. Throws what is wrong with this item alone. */
export async function prepare(
  engine: EngineContext,
  item: BatchItem,
  shared: GenerateOptions,
): Promise<PreparedItem> {
  const isPrompt = typeof item === 'string' || Array.isArray(item);
  const request: BatchRequest = isPrompt ? { prompt: item } : { ...item };
  const { prompt, tokens, context, ...own } = request;
  if ((prompt === undefined) === (tokens === undefined))
    throw invalidArgument('prompt', 'either `prompt` or `tokens`', prompt ?? tokens);
  if (tokens !== undefined) isIntegerList('tokens', tokens);
  else if (typeof prompt !== 'string') checkMessages(prompt);
  const given = Object.entries(own).filter(([, value]) => value !== undefined);
  const options = resolveGenerateOptions({ ...shared, ...Object.fromEntries(given) });
  const namespace = engine.namespaceOf(options.namespace, context);
  const before = context && engine.tokensOf(context);
  const trimStart = Array.isArray(prompt);
  if (tokens !== undefined) {
    const ids = concatenate(before ?? new Int32Array(0), tokens);
    return { ids, namespace, options, trimStart };
  }
  const { signal, release } = either(options.signal, shared.signal);
  try {
    const { specialTokens } = options;
    const ids = await engine.encodePrompt(prompt!, { context, specialTokens, signal });
    return { ids, namespace, options, trimStart };
  } finally {
    release();
  }
}

export function startItem(
  { core, tokenizer, tokensWith }: EngineContext,
  { ids, namespace, options, trimStart }: PreparedItem,
  { completion, place, signal }: Pick<GenerationSource, 'completion' | 'place' | 'signal'>,
): Generation {
  const text = { tokenizer, tokensWith, trimStart, prompt: () => ids };
  return new Generation({ core, namespace, completion, place, signal, ...text }, options);
}
