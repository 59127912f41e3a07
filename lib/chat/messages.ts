/** The messages of a conversation, as users give them. */
import { checkOptions, isString, ownOnly, readList } from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import { CachalotError, invalidArgument } from '../errors.js';
import { MAX_TEXT } from '../jinja/budget.js';
import { copyJsonObject, textLength } from './json-value.js';
import type { JsonValue } from './json-value.js';

/** A part of a message. */
export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/** A tool call that the model has made. */
export interface ToolCall {
  readonly id?: string | undefined;
  readonly type?: 'function' | undefined;
  readonly function: {
    readonly name: string;
    /** As an object, or as a JSON text of it. Templates see the object. */
    readonly arguments: string | { readonly [name: string]: JsonValue };
  };
}

/** One message of a conversation. The chat template receives the fields beside role and content, and decides how to use them. */
export interface Message {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  /** May be null only if there are tool calls. */
  readonly content: string | readonly TextPart[] | null;
  /** Name of the speaker, or of the tool that answers. */
  readonly name?: string | undefined;
  /** The tool calls of an assistant's message. */
  readonly tool_calls?: readonly ToolCall[] | undefined;
  /** Id of the call that a tool's message answers. */
  readonly tool_call_id?: string | undefined;
  /** The assistant's thoughts before its answer. */
  readonly reasoning_content?: string | undefined;
}

export function textOf(content: Message['content']): string {
  if (content === null) return '';
  return typeof content === 'string' ? content : content.map((part) => part.text).join('');
}

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool'];
const MAX_MESSAGES = 1 << 16;
const MAX_CALLS = 256;

/** A copy of the given messages, each field read once. Throws invalid_argument, or template_too_large if they are too long. */
export function checkMessages(given: unknown): Message[] {
  const expected = 'a non-empty array of messages';
  const messages = readList('messages', given, expected, readMessage, MAX_MESSAGES);
  if (messages.length === 0) throw invalidArgument('messages', expected, given);
  checkLength(messages);
  return messages;
}

/** Throws template_too_large. */
export function checkLength(messages: readonly Message[]): void {
  const length = messages.reduce((n, message) => n + lengthOf(message), 0);
  if (length > MAX_TEXT) {
    throw new CachalotError(
      'template_too_large',
      `the conversation has ${length} characters; at most ${MAX_TEXT} are allowed`,
    );
  }
}

const isRole: Check<string> = (name, value) => {
  if (typeof value !== 'string' || !ROLES.includes(value))
    throw invalidArgument(name, `one of ${ROLES.join(', ')}`, value);
  return value;
};

const isTextType: Check<'text'> = (name, value) => {
  if (value !== 'text') throw invalidArgument(name, '"text"', value);
  return value;
};

const partChecks: Record<string, Check> = { type: isTextType, text: isString };

const isContent: Check<Message['content']> = (name, value) => {
  if (typeof value === 'string' || value === null) return value;
  const readPart = (part: unknown, i: number): TextPart => {
    const at = `${name}[${i}]`;
    const { type, text } = checkOptions(part as TextPart, partChecks, `${at}.`);
    return { type: isTextType(`${at}.type`, type), text: isString(`${at}.text`, text) };
  };
  return readList(name, value, 'a string or an array of text parts', readPart, MAX_MESSAGES);
};

const isArguments: Check<JsonValue> = (name, value) =>
  typeof value === 'string' ? value : copyJsonObject(name, value);

const isFunctionType: Check<string> = (name, value) => {
  if (value !== 'function') throw invalidArgument(name, '"function"', value);
  return value;
};

function readCall(name: string, given: unknown): ToolCall {
  const call = checkOptions(
    given as ToolCall,
    {
      id: isString,
      type: isFunctionType,
      function: (at, value) =>
        checkOptions(value as object, { name: isString, arguments: isArguments }, `${at}.`),
    },
    `${name}.`,
  );
  if (call.function?.name === undefined)
    throw invalidArgument(`${name}.function.name`, 'a string', undefined);
  return ownOnly({
    ...call,
    function: ownOnly({ ...call.function, arguments: call.function.arguments ?? {} }),
  });
}

const isCallList: Check<ToolCall[] | undefined> = (name, value) => {
  const calls = readList(
    name,
    value,
    'an array of tool calls',
    (call, i) => readCall(`${name}[${i}]`, call),
    MAX_CALLS,
  );
  return calls.length === 0 ? undefined : calls;
};

/** A field that is null counts as absent: clients of OpenAI's API send such fields. */
function orNull<T>(check: Check<T>): Check<T | undefined> {
  return (name, value) => (value === null ? undefined : check(name, value));
}

const messageChecks: Record<string, Check> = {
  role: isRole,
  content: isContent,
  name: orNull(isString),
  tool_calls: orNull(isCallList),
  tool_call_id: orNull(isString),
  reasoning_content: orNull(isString),
};

function readMessage(given: unknown, index: number): Message {
  const name = `messages[${index}]`;
  const message = checkOptions(given as Message, messageChecks, `${name}.`);
  isRole(`${name}.role`, message.role);
  const hasCalls = (message.tool_calls?.length ?? 0) > 0;
  if (message.content === undefined && hasCalls) return ownOnly({ ...message, content: null });
  if (message.content == null && !hasCalls)
    throw invalidArgument(`${name}.content`, 'a string or an array of text parts', message.content);
  return message;
}

/** Lengths are added up before texts are joined: many parts may be the same long string, and so may arguments. */
function lengthOf({ content, tool_calls, ...rest }: Message): number {
  const parts = typeof content === 'string' ? content.length : partsLength(content ?? []);
  const fields = [rest.name, rest.tool_call_id, rest.reasoning_content];
  const others = fields.reduce((n, text) => n + (text?.length ?? 0), 0);
  return parts + others + (tool_calls ?? []).reduce((n, call) => n + callLength(call), 0);
}

function callLength({ id = '', function: { name, arguments: given } }: ToolCall): number {
  const length = typeof given === 'string' ? given.length : textLength(given);
  return id.length + name.length + length;
}

function partsLength(parts: readonly TextPart[]): number {
  return parts.reduce((n, { text }) => n + text.length, 0);
}
