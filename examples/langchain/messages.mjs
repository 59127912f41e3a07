// Messages of LangChain as the engine has them; blocks that are not text yet (images, files) are refused by name.
import { CachalotError } from 'cachalot';

/** @typedef {import('@langchain/core/messages').BaseMessage} BaseMessage */
/** @typedef {import('cachalot').Message} Message */

/** @type {{ [type: string]: Message['role'] }} */
const ROLES = {
  ...{ system: 'system', developer: 'developer', human: 'user', user: 'user' },
  ...{ ai: 'assistant', assistant: 'assistant', tool: 'tool' },
};

/**
 * @param {BaseMessage & Partial<import('@langchain/core/messages').AIMessage & import('@langchain/core/messages').ToolMessage & import('@langchain/core/messages').ChatMessage>} message
 * @returns {Message}
 */
export function messageOf(message) {
  const { name, tool_call_id, tool_calls = [], invalid_tool_calls = [] } = message;
  const role = ROLES[message.role ?? message.type];
  if (!role) throw notSupported(`a message of type ${message.role ?? message.type}`);
  let [content, reasoning_content] = ['', ''];
  for (const block of message.contentBlocks) {
    if (block.type === 'text') content += block.text;
    else if (block.type === 'reasoning') reasoning_content += block.reasoning;
    else if (block.type !== 'tool_call') throw notSupported(`content of type ${block.type}`);
  }
  const calls = [...tool_calls, ...invalid_tool_calls].map(callOf);
  reasoning_content ||= message.additional_kwargs.reasoning_content ?? '';
  return {
    role,
    content: content === '' && calls.length > 0 ? null : content,
    ...(name !== undefined && { name }),
    ...(tool_call_id !== undefined && { tool_call_id }),
    ...(calls.length > 0 && { tool_calls: calls }),
    ...(reasoning_content !== '' && { reasoning_content }),
  };
}

/**
 * @param {{ id?: string, name?: string, args?: unknown }} call
 * @returns {import('cachalot').ToolCall}
 */
function callOf({ id, name, args }) {
  return { id, type: 'function', function: { name, arguments: args } };
}

/** @param {string} what */
const notSupported = (what) => new CachalotError('not_supported', `${what} is not supported yet`);
