// Messages of LangChain as the engine has them; blocks that are not text yet (images, files) are refused by name.
import { AIMessage, ChatMessage, ToolMessage } from '@langchain/core/messages';
import { CachalotError } from 'cachalot';

/** @typedef {import('cachalot').Message} Message */

/** @type {{ [type: string]: Message['role'] }} */
const ROLES = {
  ...{ system: 'system', developer: 'developer', human: 'user', user: 'user' },
  ...{ ai: 'assistant', assistant: 'assistant', tool: 'tool' },
};

/** @param {string} what */
export const notYet = (what) => new CachalotError('not_supported', `${what} cannot be done yet`);

/**
 * @param {import('@langchain/core/messages').BaseMessage} message
 * @returns {Message}
 */
export function messageOf(message) {
  const type = ChatMessage.isInstance(message) ? message.role : message.type;
  const role = ROLES[type];
  if (!role) throw notYet(`a message of type ${type}`);
  let [content, thoughts] = ['', ''];
  for (const block of message.contentBlocks) {
    if (block.type === 'text') content += block.text;
    else if (block.type === 'reasoning') thoughts += block.reasoning;
    else if (block.type !== 'tool_call') throw notYet(`content of type ${block.type}`);
  }
  thoughts ||= String(message.additional_kwargs.reasoning_content ?? '');
  const tool_calls = callsOf(message);
  return {
    role,
    content: content === '' && tool_calls.length > 0 ? null : content,
    ...(message.name !== undefined && { name: message.name }),
    ...(thoughts !== '' && { reasoning_content: thoughts }),
    ...(tool_calls.length > 0 && { tool_calls }),
    ...(ToolMessage.isInstance(message) && { tool_call_id: message.tool_call_id }),
  };
}

/**
 * Also those whose arguments are no JSON: whether they can be shown is the engine's to say.
 *
 * @param {import('@langchain/core/messages').BaseMessage} message
 * @returns {import('cachalot').ToolCall[]}
 */
function callsOf(message) {
  if (!AIMessage.isInstance(message)) return [];
  const calls = [...(message.tool_calls ?? []), ...(message.invalid_tool_calls ?? [])];
  return calls.map(({ id, name = '', args = '' }) => ({
    ...(id !== undefined && { id }),
    type: 'function',
    function: { name, arguments: args },
  }));
}
