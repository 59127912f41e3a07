/** What sessions, batches and the cache share of their engine: its core, and the way from text to its tokens. */
import { Context } from './context.js';
import type { EngineCore } from './engine-core.js';
import { CachalotError, invalidArgument } from './errors.js';
import { TemplateRenderer, checkMessages, textOf } from './text/chat-template.js';
import type { Message } from './text/chat-template.js';
import type { TokenTable } from './text/token-table.js';
import type { TokenizerThread } from './text/tokenizer-thread.js';
import type { EncodeOptions } from './text/tokenizer.js';

/** A message, and whether names of special tokens in it mean those tokens. */
export interface SaidMessage extends Message {
  special?: boolean;
}

export interface PromptOptions {
  context?: Context | undefined;
  specialTokens?: boolean;
  signal?: AbortSignal | undefined;
}

export class EngineContext {
  readonly core: EngineCore;
  readonly tokenizer: TokenTable;
  readonly namespace: string;
  readonly #templates = new TemplateRenderer();
  readonly #thread: TokenizerThread;

  constructor(core: EngineCore, thread: TokenizerThread, namespace: string) {
    this.core = core;
    this.tokenizer = thread.table;
    this.namespace = namespace;
    this.#thread = thread;
  }

  get canChat(): boolean {
    return this.#thread.chatTemplate !== undefined;
  }

  /** The ids of a prompt: text to continue, or a conversation; after those of a context, if there is one. */
  async encodePrompt(
    prompt: string | SaidMessage[],
    options: PromptOptions = {},
  ): Promise<Int32Array> {
    const { context, specialTokens: special = false, signal } = options;
    const before = context === undefined ? undefined : this.tokensOf(context);
    if (typeof prompt === 'string') {
      const continues = before !== undefined;
      const ids = await this.encode(prompt, { special, bos: !continues, continues }, signal);
      return before ? concatenate(before, ids) : ids;
    }
    const said = special ? prompt.map((message) => ({ ...message, special })) : prompt;
    const text = await this.render(said, signal);
    const ids = await this.encode(text, { special: true, bos: before === undefined }, signal);
    return before ? concatenate(before, this.withoutBos(ids)) : ids;
  }

  /** A template writes the first token of a text itself; after other text it is not the first. */
  withoutBos(ids: Int32Array): Int32Array {
    return ids[0] !== undefined && ids[0] === this.tokenizer.bos ? ids.subarray(1) : ids;
  }

  /** What a request finds in the cache: a context is found in its own namespace only. */
  namespaceOf(given: string | undefined, context?: Context): string {
    if (context === undefined) return given ?? this.namespace;
    if (given !== undefined && given !== context.namespace)
      throw invalidArgument('namespace', `that of the context, "${context.namespace}"`, given);
    return context.namespace;
  }

  /** The tokens of a context of this engine. */
  tokensOf(context: Context): Int32Array {
    if (!(context instanceof Context) || !context.belongsTo(this.core)) {
      throw invalidArgument('context', 'a context of this engine', context);
    }
    if (context.released) throw new CachalotError('disposed', 'this context has been released');
    return context.ids;
  }

  /** Refuses a text that cannot fit, however it is cut, before it is cut. */
  async encode(text: string, options: EncodeOptions, signal?: AbortSignal): Promise<Int32Array> {
    const { contextLength } = this.core.native.description();
    if (text.length > contextLength * this.tokenizer.longestToken) {
      throw new CachalotError(
        'context_overflow',
        `the prompt has ${text.length} characters, more than a context of ${contextLength} tokens can hold`,
      );
    }
    return this.#thread.encode(text, options, signal);
  }

  /** Blocks this thread for as long as the text takes. */
  encodeNow(text: string, options: EncodeOptions): Int32Array {
    return this.#thread.encodeNow(text, options);
  }

  /** The tokens in whose text one of `texts` is. */
  readonly tokensWith = (texts: readonly string[]) => this.#thread.tokensWith(texts);

  /** The text of a conversation, up to where the model's answer begins. */
  async render(messages: readonly SaidMessage[], signal?: AbortSignal): Promise<string> {
    checkMessages([...messages]);
    if (!this.canChat) {
      throw new CachalotError(
        'template_missing',
        'this model has no chat template; use `complete` instead of `chat`',
      );
    }
    const { names } = this.tokenizer;
    const text = await this.renderWith(messages, (content) => names.break(content), signal);
    const isPlain = messages.every(
      ({ content, special }) => special === true || !names.mayMatter(textOf(content)),
    );
    if (isPlain) return text;
    // A template may cut and join what users wrote. With every place marked where a name could begin, no name can come
    // of that; if there are as many names then, all of them are the template's own.
    const strict = await this.renderWith(messages, (content) => names.breakAll(content), signal);
    return names.count(text) === names.count(strict) ? text : strict;
  }

  private renderWith(
    messages: readonly SaidMessage[],
    protect: (content: string) => string,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const { tokenizer } = this;
    const safe = messages.map(({ role, content, special }) => {
      const text = textOf(content);
      return { role, content: special ? text : protect(text) };
    });
    return this.#templates.render(
      this.#thread.chatTemplate!,
      {
        messages: safe,
        add_generation_prompt: messages.at(-1)?.role !== 'assistant',
        bos_token: tokenizer.name(tokenizer.bos),
        eos_token: tokenizer.name(tokenizer.eos),
      },
      signal,
      safe.reduce((size, { content }) => size + content.length, 0),
    );
  }

  async dispose(): Promise<void> {
    await Promise.all([this.core.dispose(), this.#templates.dispose(), this.#thread.dispose()]);
  }
}

export function concatenate(first: Int32Array, second: ArrayLike<number>): Int32Array {
  const all = new Int32Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
