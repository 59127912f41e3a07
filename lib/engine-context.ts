/** What sessions, batches and the cache share of their engine: its core, and the way from text to its tokens. */
import { Context } from './context.js';
import type { EngineCore } from './engine-core.js';
import { CachalotError, invalidArgument } from './errors.js';
import { TemplateRenderer, checkMessages, textOf } from './text/chat-template.js';
import type { Message } from './text/chat-template.js';
import { TokenizerThread } from './text/tokenizer-thread.js';
import type { EncodeOptions, TextTokenizer } from './text/tokenizer.js';

/** Longer texts are tokenized in a worker, so that the event loop stays free; and so are those for patterns of strangers. */
const LONG_TEXT = 8 << 10;

export interface PromptOptions {
  context?: Context | undefined;
  specialTokens?: boolean;
  signal?: AbortSignal | undefined;
}

export class EngineContext {
  readonly core: EngineCore;
  readonly tokenizer: TextTokenizer;
  readonly namespace: string;
  readonly #template: string | undefined;
  readonly #templates = new TemplateRenderer();
  readonly #thread: TokenizerThread;

  constructor(
    core: EngineCore,
    tokenizer: TextTokenizer,
    options: {
      namespace: string;
      chatTemplate: string | undefined;
      model: string;
      tokenizer: string | undefined;
    },
  ) {
    this.core = core;
    this.tokenizer = tokenizer;
    this.namespace = options.namespace;
    this.#template = options.chatTemplate;
    this.#thread = new TokenizerThread(options.model, options.tokenizer);
  }

  get canChat(): boolean {
    return this.#template !== undefined;
  }

  /** The ids of a prompt: text to continue, or a conversation; after those of a context, if there is one. */
  async encodePrompt(prompt: string | Message[], options: PromptOptions = {}): Promise<Int32Array> {
    const { context, specialTokens: special = false, signal } = options;
    const before = context === undefined ? undefined : this.tokensOf(context);
    const text =
      typeof prompt === 'string' ? prompt : await this.render(prompt, { special, signal });
    const ids = await this.encode(text, {
      special: special || typeof prompt !== 'string',
      bos: before === undefined,
    });
    if (before === undefined) return ids;
    // A template writes the first token of a text itself; after a context it is not the first.
    const repeated = before.length > 0 && ids[0] !== undefined && ids[0] === this.tokenizer.bos;
    return concatenate(before, repeated ? ids.subarray(1) : ids);
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
  async encode(text: string, options: EncodeOptions): Promise<Int32Array> {
    const { contextLength } = this.core.native.description();
    if (text.length > contextLength * this.tokenizer.longestToken) {
      throw new CachalotError(
        'context_overflow',
        `the prompt has ${text.length} characters, more than a context of ${contextLength} tokens can hold`,
      );
    }
    if (text.length <= LONG_TEXT && this.tokenizer.isTrusted)
      return this.tokenizer.encode(text, options);
    const whole = options.special ? text : this.tokenizer.breakNames(text);
    return this.#thread.encode(whole, { ...options, special: true });
  }

  /** The text of a conversation, up to where the model's answer begins. */
  async render(
    messages: readonly Message[],
    options: { special?: boolean; signal?: AbortSignal | undefined } = {},
  ): Promise<string> {
    checkMessages(messages);
    if (this.#template === undefined) {
      throw new CachalotError(
        'template_missing',
        'this model has no chat template; use `complete` instead of `chat`',
      );
    }
    const { tokenizer } = this;
    return this.#templates.render(
      this.#template,
      {
        messages: messages.map(({ role, content }) => {
          const text = textOf(content);
          return { role, content: options.special ? text : tokenizer.breakNames(text) };
        }),
        add_generation_prompt: messages.at(-1)?.role !== 'assistant',
        bos_token: tokenizer.name(tokenizer.bos),
        eos_token: tokenizer.name(tokenizer.eos),
      },
      options.signal,
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
