// Messages of the AI SDK as the engine has them; parts that are not text yet (files, images) are refused by name.
import { UnsupportedFunctionalityError } from '@ai-sdk/provider';

/** @typedef {import('@ai-sdk/provider').LanguageModelV3Message} Given */
/** @typedef {import('@ai-sdk/provider').LanguageModelV3ToolResultPart} ToolResult */
/** @typedef {import('cachalot').Message} Message */

/** @param {{ type: string }} part */
const unsupported = ({ type }) =>
  new UnsupportedFunctionalityError({ functionality: `parts of type ${type}` });

/**
 * Each result of a tool is a message of its own.
 *
 * @param {Given} message
 * @returns {Message[]}
 */
export function messagesOf(message) {
  const own = message.providerOptions?.cachalot;
  if (message.role === 'system') return [{ role: 'system', content: message.content, ...own }];
  for (const { providerOptions } of message.content)
    if (providerOptions?.cachalot)
      throw new UnsupportedFunctionalityError({ functionality: 'providerOptions of parts' });
  if (message.role === 'assistant') return [{ ...answerOf(message.content), ...own }];
  if (message.role === 'user')
    return [{ role: 'user', content: message.content.map(textOf).join(''), ...own }];
  return message.content.map((part) => {
    if (part.type !== 'tool-result') throw unsupported(part);
    const { toolCallId: tool_call_id, toolName: name, output } = part;
    return { role: 'tool', tool_call_id, name, content: resultOf(output), ...own };
  });
}

/**
 * @param {Extract<Given, { role: 'assistant' }>['content']} content
 * @returns {Message}
 */
function answerOf(content) {
  let [text, reasoning_content] = ['', ''];
  const tool_calls = [];
  for (const part of content) {
    if (part.type === 'reasoning') reasoning_content += part.text;
    else if (part.type === 'tool-call') tool_calls.push(callOf(part));
    else text += textOf(part);
  }
  return {
    role: 'assistant',
    content: text === '' && tool_calls.length > 0 ? null : text,
    ...(reasoning_content !== '' && { reasoning_content }),
    ...(tool_calls.length > 0 && { tool_calls }),
  };
}

/**
 * @param {import('@ai-sdk/provider').LanguageModelV3ToolCallPart} part
 * @returns {import('cachalot').ToolCall}
 */
function callOf({ toolCallId: id, toolName: name, input }) {
  return { id, type: 'function', function: { name, arguments: /** @type {{}} */ (input) } };
}

/** @param {{ type: string, text?: string }} part */
function textOf(part) {
  if (part.type !== 'text' || part.text === undefined) throw unsupported(part);
  return part.text;
}

/** @param {ToolResult['output']} output */
function resultOf(output) {
  if (output.type === 'text' || output.type === 'error-text') return output.value;
  if (output.type === 'json' || output.type === 'error-json') return JSON.stringify(output.value);
  if (output.type === 'content') return output.value.map(textOf).join('');
  return output.reason ?? 'The call was not allowed.';
}
