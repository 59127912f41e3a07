/** What sessions, batches and the cache share of their engine: its core, and the steps from text to tokens. */
import { Conversations } from '../chat/conversations.js';
import type { RenderOptions } from '../chat/conversations.js';
import type { SaidMessage } from '../chat/guard-names.js';
import { checkIds, ownOnly } from '../checks/check-options.js';
import { CachalotError, invalidArgument } from '../errors.js';
import type { NativeEdit } from '../native.js';
import type { TokenTable } from '../text/token-table.js';
import type { EncodeOptions } from '../text/tokenizer.js';
import type { TokenizerThread } from '../text/tokenizer-thread.js';
import { isContext } from './context.js';
import type { Context } from './context.js';
import type { EngineCore } from './engine-core.js';

/** The prompt that a generation continues. */
export interface Prompt {
  ids: Int32Array;
  /** What has been edited of its beginning. */
  edits?: readonly NativeEdit[];
  /** White space that the template writes before an answer and that this prompt leaves to the model. */
  gap?: string;
  /** See `GenerationResult`. */
  systemMerged?: boolean;
}

export interface PromptOptions extends RenderOptions {
  context?: Context | undefined;
  specialTokens?: boolean;
}

export class EngineParts {
  readonly core: EngineCore;
  readonly tokenizer: TokenTable;
  readonly namespace: string;
  readonly conversations: Conversations;
  readonly #thread: TokenizerThread;

  constructor(
    core: EngineCore,
    thread: TokenizerThread,
    { namespace, chatTemplate }: { namespace: string; chatTemplate: string | undefined },
  ) {
    this.core = core;
    this.tokenizer = thread.table;
    this.namespace = namespace;
    this.#thread = thread;
    this.conversations = new Conversations(thread, chatTemplate);
  }

  /** The ids of a text to continue, after those of a context, if there is one. */
  async encodeText(text: string, options: PromptOptions = {}): Promise<Int32Array> {
    const { context, specialTokens: special = false, signal } = ownOnly(options);
    const before = context === undefined ? undefined : this.tokensOf(context);
    const continues = before !== undefined;
    const ids = await this.encode(text, { special, bos: !continues, continues }, signal);
    return before ? concatenate(before, ids) : ids;
  }

  /** The prompt that asks the model to answer a conversation, or to continue its last answer. */
  async encodeConversation(
    messages: readonly SaidMessage[],
    given: PromptOptions = {},
  ): Promise<Prompt> {
    const options = ownOnly(given);
    const said = options.specialTokens ? messages.map(special) : messages;
    const [{ text, systemMerged }, gap] = await Promise.all([
      this.conversations.prompt(said, options),
      said.at(-1)?.role === 'assistant' ? undefined : this.conversations.gap(options),
    ]);
    const ids = await this.encodeRendered(text, options);
    return { ids, systemMerged, gap: gap?.said ?? '', ...editsOf(options.context) };
  }

  /** The ids of a conversation as it stands, as a prefix for others. */
  async encodeWhole(
    messages: readonly SaidMessage[],
    given: PromptOptions = {},
  ): Promise<Int32Array> {
    const options = ownOnly(given);
    const said = options.specialTokens ? messages.map(special) : messages;
    const { text } = await this.conversations.whole(said, options);
    return this.encodeRendered(text, options);
  }

  /** The ids of a template's text, after those of a context, if there is one. */
  async encodeRendered(
    text: string,
    { context, signal }: Pick<PromptOptions, 'context' | 'signal'>,
  ): Promise<Int32Array> {
    const before = context === undefined ? undefined : this.tokensOf(context);
    const ids = await this.encode(text, { special: true, bos: before === undefined }, signal);
    return before ? concatenate(before, this.withoutBos(ids)) : ids;
  }

  /** A template writes the first token of a text itself. After other text, the template's text is not the beginning. */
  withoutBos(ids: Int32Array): Int32Array {
    return ids[0] !== undefined && ids[0] === this.tokenizer.bos ? ids.subarray(1) : ids;
  }

  /** The namespace of a request: a context is found in its own namespace only. */
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

  /** Refuses a text that is too long for the context however it is tokenized, before it is tokenized. */
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

  /** The ids of a text that continues other text. */
  readonly encodeRest = (text: string) => this.encode(text, { continues: true });

  /** Blocks this thread while it tokenizes the text. */
  encodeNow(text: string, options: EncodeOptions): Int32Array {
    return this.#thread.encodeNow(text, options);
  }

  /** The text of tokens of the model's vocabulary. */
  decode(tokens: Int32Array): string {
    checkIds('tokens', tokens, this.core.native.description().vocabulary);
    return this.tokenizer.decode(tokens);
  }

  /** The tokens whose text contains one of `texts`. */
  readonly tokensWith = (texts: readonly string[]) => this.#thread.tokensWith(texts);

  async dispose(): Promise<void> {
    await Promise.all([this.core.dispose(), this.conversations.dispose(), this.#thread.dispose()]);
  }
}

export function concatenate(first: Int32Array, second: ArrayLike<number>): Int32Array {
  const all = new Int32Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** Names of special tokens in the message mean those tokens. */
function special(message: SaidMessage): SaidMessage {
  return { ...message, special: true };
}

/** The edits of a context, of a prompt that begins with it. */
export function editsOf(context: Context | undefined): Pick<Prompt, 'edits'> {
  return context === undefined ? {} : { edits: context.edits };
}
