/** What a user says in a conversation. */
import { checkMessages } from '../chat/messages.js';
import type { Message } from '../chat/messages.js';
import { reading } from '../checks/check-options.js';
import { CachalotError } from '../errors.js';

/** What a user says: text, or messages with other roles, such as the results of tools. */
export type ChatInput = string | Message | readonly Message[];

export function readInput(input: ChatInput): Message[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  const isList = reading('message', () => Array.isArray(input));
  const messages = checkMessages(isList ? input : [input]);
  if (messages.at(-1)?.role === 'assistant')
    throw new CachalotError(
      'invalid_argument',
      "the last message is an assistant's: there is nothing to answer. To go on with it, use `engine.chat`",
    );
  return messages;
}
