/** The messages of a conversation, as users give them. */
import { readList } from '../check-options.js';
import { CachalotError, invalidArgument } from '../errors.js';
import { MAX_TEXT } from './template-size.js';

/** A part of a message. */
export interface TextPart {
  type: 'text';
  text: string;
}

/** One message of a conversation. */
export interface Message {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string | TextPart[];
}

export function textOf(content: Message['content']): string {
  return typeof content === 'string' ? content : content.map((part) => part.text).join('');
}

const ROLES = ['system', 'user', 'assistant', 'tool'];
const MAX_MESSAGES = 1 << 16;

/** Of their owner's messages a copy, each field read once. Throws invalid_argument, or template_too_large if they are too long. */
export function checkMessages(given: unknown): Message[] {
  const expected = 'a non-empty array of messages';
  const messages = readList('messages', given, expected, readMessage, MAX_MESSAGES);
  if (messages.length === 0) throw invalidArgument('messages', expected, given);
  const length = messages.reduce((n, { content }) => n + lengthOf(content), 0);
  if (length > MAX_TEXT) {
    throw new CachalotError(
      'template_too_large',
      `the conversation has ${length} characters; at most ${MAX_TEXT} are allowed`,
    );
  }
  return messages;
}

function readMessage(given: unknown, index: number): Message {
  const message = given as Partial<Message> | null | undefined;
  const role = message?.role;
  const content: unknown = message?.content;
  if (typeof role !== 'string' || !ROLES.includes(role))
    throw invalidArgument(`messages[${index}].role`, `one of ${ROLES.join(', ')}`, role);
  if (typeof content === 'string') return { role, content };
  const name = `messages[${index}].content`;
  const expected = 'a string or an array of text parts';
  const readPart = (part: unknown): TextPart => {
    const { type, text } = (part ?? {}) as Partial<TextPart>;
    if (type !== 'text' || typeof text !== 'string') throw invalidArgument(name, expected, content);
    return { type, text };
  };
  return { role, content: readList(name, content, expected, readPart, MAX_MESSAGES) };
}

/** Added up before it is joined: many parts may be one long string that is given many times. */
function lengthOf(content: Message['content']): number {
  if (typeof content === 'string') return content.length;
  return content.reduce((n, { text }) => n + text.length, 0);
}
