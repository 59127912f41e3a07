/** Chat templates: messages to the text a model was trained on, with a limit on time, memory and length. */
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

const isTextPart = (part: unknown) =>
  typeof part === 'object' &&
  part !== null &&
  (part as TextPart).type === 'text' &&
  typeof (part as TextPart).text === 'string';

const ROLES = ['system', 'user', 'assistant', 'tool'];

/** Throws invalid_argument unless `messages` is a list of messages, template_too_large if they are too long. */
export function checkMessages(messages: unknown): asserts messages is Message[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalidArgument('messages', 'a non-empty array of messages', messages);
  }
  messages.forEach((message: Partial<Message> | null, i) => {
    const role: unknown = message?.role;
    const content: unknown = message?.content;
    if (!ROLES.includes(role as string)) {
      throw invalidArgument(`messages[${i}].role`, `one of ${ROLES.join(', ')}`, role);
    }
    if (typeof content !== 'string' && !(Array.isArray(content) && content.every(isTextPart))) {
      throw invalidArgument(
        `messages[${i}].content`,
        'a string or an array of text parts',
        content,
      );
    }
  });
  const length = (messages as Message[]).reduce((n, { content }) => n + textOf(content).length, 0);
  if (length > MAX_TEXT) {
    throw new CachalotError(
      'template_too_large',
      `the conversation has ${length} characters; at most ${MAX_TEXT} are allowed`,
    );
  }
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
