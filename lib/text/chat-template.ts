/** Chat templates: messages to the text a model was trained on, with a limit on time, memory and length. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { readList } from '../check-options.js';
import { CachalotError, abortError, invalidArgument } from '../errors.js';
import { packageRoot } from '../native.js';
import { MAX_TEXT } from './template-size.js';
import type { RenderAnswer, RenderJob } from './template-worker.js';

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

/** Real templates take a few milliseconds; the deadline counts from when the worker is ready. */
const DEADLINE_MS = 500;
const START_MS = 10_000;
/** Never reached, see template-limits.ts: a heap that is full can end the process, and not just the worker. */
const HEAP_MB = 4096;

interface Pending {
  id: number;
  resolve(text: string): void;
  reject(error: CachalotError): void;
}

/** One worker, started at the first template and again after one had to be stopped. Jobs run one at a time. */
export class TemplateRenderer {
  #worker: Worker | undefined;
  #ready: Promise<void> | undefined;
  #starting: ((error?: CachalotError) => void) | undefined;
  #pending: Pending | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #nextId = 1;
  #disposed = false;

  /** Renders; throws template_failed, template_timeout or template_too_large. */
  render(
    template: string,
    variables: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<string> {
    const job = { id: this.#nextId++, template, variables };
    const result = this.#queue.then(() => this.run(job, signal));
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    await this.stop(new CachalotError('disposed', 'the engine has been disposed'));
  }

  private async run(job: RenderJob, signal?: AbortSignal): Promise<string> {
    if (signal?.aborted) throw abortError(signal);
    if (this.#disposed) throw new CachalotError('disposed', 'the engine has been disposed');
    await this.start();
    return this.exchange(job);
  }

  private start(): Promise<void> {
    this.#ready ??= new Promise<void>((resolve, reject) => {
      const worker = new Worker(join(packageRoot, 'dist', 'text', 'template-worker.js'), {
        resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 16 },
      });
      worker.unref();
      this.#worker = worker;
      const timer = setTimeout(
        () =>
          void this.stop(
            new CachalotError('template_timeout', 'the template worker did not start'),
          ),
        START_MS,
      );
      this.#starting = (error) => {
        clearTimeout(timer);
        this.#starting = undefined;
        if (error) reject(error);
        else resolve();
      };
      worker.once('online', () => worker === this.#worker && this.#starting?.());
      worker.on(
        'message',
        (answer: RenderAnswer) => worker === this.#worker && this.settle(answer),
      );
      worker.on(
        'error',
        (error) => worker === this.#worker && void this.stop(workerFailure(error)),
      );
    });
    return this.#ready;
  }

  private exchange(job: RenderJob): Promise<string> {
    return new Promise((resolve, reject) => {
      const overdue = new CachalotError(
        'template_timeout',
        `the chat template did not finish within ${DEADLINE_MS} ms; it is probably broken or hostile`,
      );
      // An answer may lie in the queue while this thread was busy with something else: look there first.
      const timer = setTimeout(
        () => setImmediate(() => this.#pending?.id === job.id && void this.stop(overdue)),
        DEADLINE_MS,
      );
      this.#worker?.ref(); // a program whose last work is this rendering must not end before it
      const settled = () => {
        clearTimeout(timer);
        this.#pending = undefined;
        this.#worker?.unref();
      };
      this.#pending = {
        id: job.id,
        resolve: (text) => (settled(), resolve(text)),
        reject: (error) => (settled(), reject(error)),
      };
      this.#worker?.postMessage(job);
    });
  }

  private settle(answer: RenderAnswer): void {
    if ('text' in answer) this.#pending?.resolve(answer.text);
    else
      this.#pending?.reject(
        new CachalotError(
          answer.tooLarge ? 'template_too_large' : 'template_failed',
          `the chat template failed: ${answer.error}`,
        ),
      );
  }

  private async stop(reason: CachalotError): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#ready = undefined;
    this.#starting?.(reason);
    this.#pending?.reject(reason);
    await worker?.terminate();
  }
}

function workerFailure(error: NodeJS.ErrnoException): CachalotError {
  return error.code === 'ERR_WORKER_OUT_OF_MEMORY'
    ? new CachalotError('template_too_large', 'the chat template needs too much memory')
    : new CachalotError('template_failed', `the chat template's worker failed: ${error.message}`, {
        cause: error,
      });
}
