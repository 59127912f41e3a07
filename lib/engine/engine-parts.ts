/** What sessions, batches and the cache share of their engine: its core, and the steps from text to tokens. */
import { Conversations } from '../chat/conversations.js';
import type { RenderOptions } from '../chat/conversations.js';
import type { SaidMessage } from '../chat/guard-names.js';
import { checkIds, ownOnly } from '../checks/check-options.js';
import { CachalotError, invalidArgument } from '../errors.js';
import { combine } from '../layout/combine.js';
import { plain, withIds } from '../layout/layout.js';
import type { Content } from '../layout/layout.js';
import type { NativeEdit } from '../native.js';
import type { Draft } from '../options/draft-options.js';
import type { TokenTable } from '../text/token-table.js';
import type { EncodeOptions } from '../text/tokenizer.js';
import type { TokenizerThread } from '../text/tokenizer-thread.js';
import { isContext } from './context.js';
import type { Context } from './context.js';
import type { EngineCore } from './engine-core.js';
import type { GivenContext } from './given-context.js';
import { Grammars } from './grammars.js';

/** Tokens with what stands before them. */
export interface Before {
  content: Content;
  /** What has been edited of its beginning. */
  edits: readonly NativeEdit[];
}

/** The prompt that a generation continues. */
export interface Prompt extends Before {
  /** White space that the template writes before an answer and that this prompt leaves to the model. */
  gap?: string;
  /** See `GenerationResult`. */
  systemMerged?: boolean;
}

export interface PromptOptions extends RenderOptions {
  /** What the prompt continues; undefined: it begins a text. */
  before?: Before | undefined;
  specialTokens?: boolean;
  /** The most tokens that a prompt can have. Default: the context's. */
  mostTokens?: number | undefined;
}

/** A text of its own, from the beginning. */
export const NONE: Before = { content: plain(new Int32Array(0)), edits: [] };

const NO_CONTEXTS: Pick<GivenContext, 'contexts'> = { contexts: [] };

export class EngineParts {
  readonly core: EngineCore;
  readonly tokenizer: TokenTable;
  readonly namespace: string;
  readonly conversations: Conversations;
  /** See `GenerationSource`. */
  readonly drafting: { byDefault: Draft; encode: (text: string) => Promise<Int32Array> };
  readonly grammars: Grammars;
  readonly #thread: TokenizerThread;

  constructor(
    core: EngineCore,
    thread: TokenizerThread,
    {
      namespace,
      chatTemplate,
      draft,
    }: { namespace: string; chatTemplate: string | undefined; draft: Draft },
  ) {
    this.core = core;
    this.tokenizer = thread.table;
    this.namespace = namespace;
    this.#thread = thread;
    this.drafting = { byDefault: draft, encode: this.encodeRest };
    this.grammars = new Grammars(thread.table, () => core.native.description().vocabulary);
    this.conversations = new Conversations(thread, chatTemplate);
  }

  /** A text to continue, after what stands before it. */
  async encodeText(text: string, options: PromptOptions = {}): Promise<Before> {
    const { before, specialTokens: special = false, signal, mostTokens } = ownOnly(options);
    const continues = before !== undefined;
    const how = { special, bos: !continues, continues };
    return continued(before, await this.encode(text, how, signal, mostTokens));
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
    const prompt = await this.encodeRendered(text, options);
    return { ...prompt, systemMerged, gap: gap?.said ?? '' };
  }

  /** The ids of a conversation as it stands, as a prefix for others. */
  async encodeWhole(messages: readonly SaidMessage[], given: PromptOptions = {}): Promise<Before> {
    const options = ownOnly(given);
    const said = options.specialTokens ? messages.map(special) : messages;
    const { text } = await this.conversations.whole(said, options);
    return this.encodeRendered(text, options);
  }

  /** A template's text, after what stands before it. */
  async encodeRendered(
    text: string,
    { before, signal, mostTokens }: Pick<PromptOptions, 'before' | 'signal' | 'mostTokens'>,
  ): Promise<Before> {
    const how = { special: true, bos: before === undefined };
    const ids = await this.encode(text, how, signal, mostTokens);
    return continued(before, before ? this.withoutBos(ids) : ids);
  }

  /** A template writes the first token of a text itself. After other text, the template's text is not the beginning. */
  withoutBos(ids: Int32Array): Int32Array {
    return ids[0] !== undefined && ids[0] === this.tokenizer.bos ? ids.subarray(1) : ids;
  }

  /** The namespace of a request: contexts are found in their own namespace only. */
  namespaceOf(given: string | undefined, { contexts } = NO_CONTEXTS): string {
    const [first] = contexts;
    if (first === undefined) return given ?? this.namespace;
    const other = contexts.find((one) => one.namespace !== first.namespace);
    if (other) throw invalidArgument('context', 'contexts of one namespace', other.namespace);
    if (given !== undefined && given !== first.namespace)
      throw invalidArgument('namespace', `that of the context, "${first.namespace}"`, given);
    return first.namespace;
  }

  /** What contexts put before a text. Undefined for none. Throws if one cannot be used (any more). */
  before(given: GivenContext | undefined): Before | undefined {
    if (!given) return undefined;
    const { contexts, arrangement } = given;
    const isList = contexts.length > 1;
    const contents = contexts.map((one, i) =>
      this.contentOf(one, isList ? `context[${i}]` : 'context'),
    );
    if (!arrangement) return { content: contents[0]!, edits: contexts[0]!.edits };
    const edited = contexts.findIndex(({ edits }) => edits.length > 0);
    if (edited >= 0)
      throw invalidArgument(`context[${edited}]`, 'one that is not compressed', 'a compressed one');
    const base = combine(contents, arrangement, this.tokenizer.bos);
    return { content: plain(new Int32Array(0), base), edits: [] };
  }

  /** The content of a context of this engine. */
  contentOf(context: Context, name = 'context'): Content {
    if (!isContext(name, context).belongsTo(this.core)) {
      throw invalidArgument(name, 'a context of this engine', context);
    }
    if (context.released) throw new CachalotError('disposed', 'this context has been released');
    return context.content;
  }

  /** Refuses a text that is too long for the context however it is tokenized, before it is tokenized. */
  async encode(
    text: string,
    options: EncodeOptions,
    signal?: AbortSignal,
    mostTokens = this.core.native.description().contextLength,
  ): Promise<Int32Array> {
    if (text.length > mostTokens * this.tokenizer.longestToken) {
      throw new CachalotError(
        'context_overflow',
        `the prompt has ${text.length} characters, more than a context of ${mostTokens} tokens can hold`,
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

/** More tokens after what stands before them. */
export function continued(before: Before | undefined, ids: ArrayLike<number>): Before {
  const { content, edits } = before ?? NONE;
  return { content: withIds(content, concatenate(content.ids, ids)), edits };
}
