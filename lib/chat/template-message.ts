/**
 * A message as a chat template sees it. Two gaps of templates are filled as other programs do: a developer message becomes a
 * system message, and a system message that the template has no place for goes to the beginning of the first user message.
 */
import { isBlank, ownOnly } from '../checks/check-options.js';
import { parseExactJson } from './exact-json.js';
import type { ExactJson } from './exact-json.js';
import { mapTexts } from './json-value.js';
import { textOf } from './messages.js';
import type { Message, ToolCall } from './messages.js';

export interface TemplateMessage {
  role: string;
  content: string | null;
  [field: string]: ExactJson;
}

/** The message after `change` of each text that a user or a model wrote. */
export function templateMessage(
  message: Message,
  change: (text: string) => string,
): TemplateMessage {
  const { role, content, name, tool_calls, tool_call_id, reasoning_content } = ownOnly(message);
  return {
    role,
    content: content === null ? null : change(textOf(content)),
    ...(name === undefined ? {} : { name: change(name) }),
    ...(tool_calls === undefined
      ? {}
      : { tool_calls: tool_calls.map((call) => templateCall(call, change)) }),
    ...(tool_call_id === undefined ? {} : { tool_call_id: change(tool_call_id) }),
    ...(reasoning_content === undefined ? {} : { reasoning_content: change(reasoning_content) }),
  };
}

/** Templates expect arguments as an object; clients of OpenAI's API have them as JSON text. */
function templateCall(call: ToolCall, change: (text: string) => string): ExactJson {
  const { id, type = 'function', function: called } = ownOnly(call);
  return {
    ...(id === undefined ? {} : { id: change(id) }),
    type,
    function: {
      name: change(called.name),
      arguments: mapTexts(readArguments(called.arguments), change),
    },
  };
}

function readArguments(given: ToolCall['function']['arguments']): ExactJson {
  if (typeof given !== 'string') return given;
  try {
    const value = parseExactJson(given);
    return value instanceof Map ? value : given;
  } catch {
    return given; // a model may have written it: the template gets it unchanged
  }
}

const isTold = ({ role }: TemplateMessage) => role === 'system' || role === 'developer';

/**
 * System and developer messages at the beginning become one message, since most templates read only one, and a blank one counts as
 * absent. A template that does not know the role `developer` sees `system`.
 */
export function withOneBeginning(
  messages: readonly TemplateMessage[],
  knowsDeveloper: boolean,
): TemplateMessage[] {
  const known = messages.map((message) =>
    message.role === 'developer' && !knowsDeveloper ? { ...message, role: 'system' } : message,
  );
  const end = known.findIndex((message) => !isTold(message));
  const nTold = end < 0 ? known.length : end;
  const [first, ...more] = known.slice(0, nTold).filter(({ content }) => !isBlank(content ?? ''));
  const rest = known.slice(nTold);
  if (first === undefined) return rest.length > 0 ? rest : known;
  return [more.length === 0 ? first : { ...first, content: joined([first, ...more]) }, ...rest];
}

/** For a template that has no place for a system message at the beginning. */
export function withoutSystem(messages: readonly TemplateMessage[]): TemplateMessage[] {
  const [system, first, ...rest] = messages;
  if (system === undefined || !isTold(system)) return [...messages];
  if (first?.role === 'user') return [{ ...first, content: joined([system, first]) }, ...rest];
  return [{ ...system, role: 'user' }, ...messages.slice(1)];
}

function joined(messages: readonly TemplateMessage[]): string {
  return messages
    .map(({ content }) => content ?? '')
    .filter((content) => content !== '')
    .join('\n\n');
}
