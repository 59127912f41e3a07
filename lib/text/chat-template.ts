/** Chat templates: messages to the text a model was trained on, with a limit on time, memory and length. */
import { readList } from '../check-options.js';
import { CachalotError, invalidArgument } from '../errors.js';
import { MAX_TEXT } from './template-size.js';
import type { RenderJob } from './template-worker.js';
import { WorkerLanes } from './worker-lanes.js';

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

/** Real templates take a few milliseconds. */
const DEADLINE_MS = 500;
/** Never reached, see template-limits.ts: a heap that is full can end the process, and not just the worker. */
const HEAP_MB = 4096;

/** Renders in workers; a long conversation holds up no short one. */
export class TemplateRenderer {
  readonly #lanes = new WorkerLanes<RenderJob, string>({
    script: 'template-worker.js',
    worker: { resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 16 } },
    deadlineMs: DEADLINE_MS,
    overdue,
    died,
  });

  /** Renders; throws template_failed, template_timeout or template_too_large. `size` is of the text among `variables`. */
  render(
    template: string,
    variables: Record<string, unknown>,
    signal?: AbortSignal,
    size = 0,
  ): Promise<string> {
    return this.#lanes.run({ template, variables }, size, signal);
  }

  dispose(): Promise<void> {
    return this.#lanes.dispose();
  }
}

function overdue(): CachalotError {
  return new CachalotError(
    'template_timeout',
    `the chat template did not finish within ${DEADLINE_MS} ms; it is probably broken or hostile`,
  );
}

function died(error: NodeJS.ErrnoException): CachalotError {
  return error.code === 'ERR_WORKER_OUT_OF_MEMORY'
    ? new CachalotError('template_too_large', 'the chat template needs too much memory')
    : new CachalotError('template_failed', `the chat template's worker failed: ${error.message}`, {
        cause: error,
      });
}
