/** Breaks names of special tokens in users' text before a chat template sees it: see docs/decisions/0005. */
import { ownOnly } from '../checks/check-options.js';
import type { ProtectedText } from '../text/name-breaker.js';
import type { TokenizerThread } from '../text/tokenizer-thread.js';
import { totalLength } from '../text/total-length.js';
import type { ExactJson } from './exact-json.js';
import { mapTexts } from './json-value.js';
import type { Message } from './messages.js';
import { templateMessage } from './template-message.js';
import type { TemplateMessage } from './template-message.js';
import type { TemplateOptions } from './template-options.js';

/** Names in longer conversations are found in a worker. Up to this length one pass in this thread takes a millisecond. */
const LONG_CONVERSATION = 32 << 10;

/** A message, and whether names of special tokens in it mean those tokens. */
export interface SaidMessage extends Message {
  readonly special?: boolean;
}

/** The message as its owner knows it, copied. (In a test runner's page `structuredClone` may be missing.) */
export function ownMessage(said: SaidMessage): Message {
  const copy = JSON.parse(JSON.stringify(said)) as { special?: boolean } & Message;
  delete copy.special;
  return copy;
}

/** The values that users give a template. */
export interface TemplateInput {
  messages: TemplateMessage[];
  variables: Record<string, ExactJson>;
}

export interface GuardedInput {
  /** With its names broken. */
  broken: TemplateInput;
  /** With every place broken where a name could begin. */
  strict: TemplateInput;
  isSame: boolean;
}

export async function guardNames(
  thread: TokenizerThread,
  messages: readonly SaidMessage[],
  options: TemplateOptions,
  signal?: AbortSignal,
): Promise<GuardedInput> {
  const texts: string[] = [];
  inputOf(messages, options, (text) => (texts.push(text), text));
  const { names } = thread.table;
  const made: ProtectedText[] = isLong(texts)
    ? await thread.protect(texts, signal)
    : texts.map((text) => names.protect(text));
  const take = (kind: keyof ProtectedText) => {
    let next = 0; // texts come in the same order again
    return inputOf(messages, options, () => made[next++]![kind]);
  };
  const isSame = made.every(({ broken, strict }) => broken === strict);
  return { broken: take('broken'), strict: take('strict'), isSame };
}

/** The number of names in each text. */
export async function countNames(
  thread: TokenizerThread,
  texts: string[],
  signal?: AbortSignal,
): Promise<number[]> {
  if (isLong(texts)) return thread.count(texts, signal);
  return texts.map((text) => thread.table.names.count(text));
}

function inputOf(
  messages: readonly SaidMessage[],
  options: TemplateOptions,
  change: (text: string) => string,
): TemplateInput {
  const same = (text: string) => text;
  return {
    messages: messages.map((message) =>
      templateMessage(message, ownOnly(message).special ? same : change),
    ),
    variables: Object.fromEntries(
      Object.entries(options).map(([name, value]) => [name, mapTexts(value, change)]),
    ),
  };
}

/** Whether all texts together are too long to be searched in this thread. */
function isLong(texts: readonly string[]): boolean {
  return totalLength(texts) > LONG_CONVERSATION;
}
