/** What sessions, batches and the cache share of their engine: its core, and the way from text to its tokens. */
import { checkIds, ownOnly } from './check-options.js';
import { isContext } from './context.js';
import type { Context } from './context.js';
import type { EngineCore } from './engine-core.js';
import { CachalotError, invalidArgument } from './errors.js';
import { TemplateRenderer } from './text/chat-template.js';
import { checkMessages, textOf } from './text/messages.js';
import type { Message } from './text/messages.js';
import type { ProtectedText } from './text/name-breaker.js';
import type { TokenTable } from './text/token-table.js';
import type { TokenizerThread } from './text/tokenizer-thread.js';
import type { EncodeOptions } from './text/tokenizer.js';
import { totalLength } from './text/total-length.js';

/** Names of special tokens in longer conversations are found in a worker. Here that is one pass, of a millisecond. */
const LONG_CONVERSATION = 32 << 10;

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
    const { context, specialTokens: special = false, signal } = ownOnly(options);
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
    if (!isContext('context', context).belongsTo(this.core)) {
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

  /** The text of tokens that the model has. */
  decode(tokens: Int32Array): string {
    checkIds('tokens', tokens, this.core.native.description().vocabulary);
    return this.tokenizer.decode(tokens);
  }

  /** The tokens in whose text one of `texts` is. */
  readonly tokensWith = (texts: readonly string[]) => this.#thread.tokensWith(texts);

  /** The text of a conversation, up to where the model's answer begins. */
  async render(messages: readonly SaidMessage[], signal?: AbortSignal): Promise<string> {
    checkMessages(messages);
    if (!this.canChat) {
      throw new CachalotError(
        'template_missing',
        'this model has no chat template; use `complete` instead of `chat`',
      );
    }
    const contents = messages.map(({ content }) => textOf(content));
    const made = await this.protect(contents, signal);
    const given = (i: number) => ownOnly(messages[i]!).special === true;
    const broken = contents.map((text, i) => (given(i) ? text : made[i]!.broken));
    const strict = contents.map((text, i) => (given(i) ? text : made[i]!.strict));
    const text = await this.renderWith(messages, broken, signal);
    if (strict.every((content, i) => content === broken[i])) return text;
    // A template may cut and join what users wrote. With every place marked where a name could begin, no name can come
    // of that; if there are as many names then, all of them are the template's own.
    const strictText = await this.renderWith(messages, strict, signal);
    const [found, own] = await this.countNames([text, strictText], signal);
    return found === own ? text : strictText;
  }

  private async protect(texts: string[], signal?: AbortSignal): Promise<ProtectedText[]> {
    if (isLong(texts)) return this.#thread.protect(texts, signal);
    return texts.map((text) => this.tokenizer.names.protect(text));
  }

  private async countNames(texts: string[], signal?: AbortSignal): Promise<number[]> {
    if (isLong(texts)) return this.#thread.count(texts, signal);
    return texts.map((text) => this.tokenizer.names.count(text));
  }

  private renderWith(
    messages: readonly SaidMessage[],
    contents: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const { tokenizer } = this;
    return this.#templates.render(
      this.#thread.chatTemplate!,
      {
        messages: messages.map(({ role }, i) => ({ role, content: contents[i] })),
        add_generation_prompt: messages.at(-1)?.role !== 'assistant',
        bos_token: tokenizer.name(tokenizer.bos),
        eos_token: tokenizer.name(tokenizer.eos),
      },
      signal,
      totalLength(contents),
    );
  }

  async dispose(): Promise<void> {
    await Promise.all([this.core.dispose(), this.#templates.dispose(), this.#thread.dispose()]);
  }
}

/** Whether all together are too long to be looked through here. */
function isLong(texts: readonly string[]): boolean {
  return totalLength(texts) > LONG_CONVERSATION;
}

export function concatenate(first: Int32Array, second: ArrayLike<number>): Int32Array {
  const all = new Int32Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
