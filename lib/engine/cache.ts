/** The engine's cache of keys and values: contexts are added and pinned here. */
import { checkMessages } from '../chat/messages.js';
import type { Message } from '../chat/messages.js';
import { isTemplateOptions } from '../chat/template-options.js';
import type { TemplateOptions } from '../chat/template-options.js';
import {
  checkOptions,
  integerIn,
  isBoolean,
  isFunction,
  isIntegerList,
  isName,
  isSignal,
  oneOf,
  readList,
} from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';
import { NOTHING, plain, withIds } from '../layout/layout.js';
import type { Content } from '../layout/layout.js';
import { oldText, revised } from '../layout/revise.js';
import type { NativeEdit } from '../native.js';
import { isSharedCompression } from '../options/compress-options.js';
import type { Compression, ReadCompression } from '../options/compress-options.js';
import { editsWithin, refuseParts, scheduleOf } from '../options/edit-schedule.js';
import { DEFAULT_PRIORITY } from '../options/generate-options.js';
import { Context, isContext } from './context.js';
import { continued } from './engine-parts.js';
import type { Before, EngineParts, PromptOptions } from './engine-parts.js';
import { evaluate } from './evaluate.js';
import { isContexts } from './given-context.js';
import type { GivenContext } from './given-context.js';

/** How a context is kept. */
export interface KeepOptions {
  /** Keeps it until it is released. Otherwise it stays as long as there is room. Default false. */
  pin?: boolean | undefined;
  /** 0 to 100: contexts of a lower priority are evicted first. Default 35. */
  priority?: number | undefined;
  /** How long it is kept after its last use, in milliseconds; its pin ends then, too. Default: no limit. */
  ttlMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** How its tokens are made and computed. */
interface InputOptions extends KeepOptions {
  /** Whether names of special tokens in a text mean those tokens. Default false. */
  specialTokens?: boolean | undefined;
  /** Of a conversation: variables of the chat template. */
  templateOptions?: TemplateOptions | undefined;
  /** Called while the text is computed, with the tokens done so far and the tokens in all. */
  onProgress?: (progress: { tokens: number; totalTokens: number }) => void;
}

export interface AddOptions extends InputOptions {
  /** Part of the key under which the cache finds it; only prompts of the same namespace can use it. Default: the sources', or the engine's. */
  namespace?: string | undefined;
  /** Contexts that the text is computed after, one after the other (Graph-KV, arXiv 2506.07334). They are no part of it. */
  sources?: readonly Context[] | undefined;
  /** Keeps fewer keys and values than the text has: all who use the context read what is left. See docs/compression.md. */
  compress?: Compression | undefined;
}

export interface ReviseOptions extends InputOptions {
  /**
   * What of the old context is used. "prefix" (default): what both texts begin with; all after the first change is computed anew, and exact. "moved":
   * all that is equal, wherever it stands now (PIE, arXiv 2407.03157); only what is new is computed, and `usage.movedTokens` of requests says how much was not.
   */
  reuse?: 'prefix' | 'moved' | undefined;
}

const keepChecks = {
  pin: isBoolean,
  priority: integerIn(0, 100),
  ttlMs: integerIn(1, 2 ** 31),
  signal: isSignal,
};
const inputChecks = {
  ...keepChecks,
  specialTokens: isBoolean,
  templateOptions: isTemplateOptions,
  onProgress: isFunction,
};

/** A text, a conversation, or token ids. */
export type ContextInput = string | readonly Message[] | readonly number[];

/** How many tokens are computed between two calls of `onProgress`. */
const PROGRESS_TOKENS = 2048;
const NO_IDS = new Int32Array(0);

export class Cache {
  readonly #engine: EngineParts;

  /** @internal `engine.cache` */
  constructor(engine: EngineParts) {
    this.#engine = engine;
  }

  /**
   * Computes the keys and values of a text, a conversation, or token ids, unless they are cached already. Prompts that
   * begin with the context then start where it ends. Pinned contexts count in whole blocks of 32 tokens.
   *
   * @example
   * const doc = await engine.cache.add(longText, { pin: true });
   * const batch = engine.createBatch(questions.map((prompt) => ({ context: doc, prompt })));
   */
  async add(input: ContextInput, options: AddOptions = {}): Promise<Context> {
    const checked = checkOptions(options, {
      ...inputChecks,
      namespace: isName,
      sources: isContexts,
      compress: isSharedCompression,
    });
    const { pin = false, priority = DEFAULT_PRIORITY, ttlMs = 0 } = checked;
    const given = sourcesOf(checked.sources);
    const namespace = this.#engine.namespaceOf(checked.namespace, given);
    const { content } = await this.tokensOf(input, checked, this.#engine.before(given));
    const compress = checked.compress as ReadCompression | undefined; // as its check returned it
    const edits = this.editsOf(content, compress);
    const context = new Context(this.#engine.core, content, { namespace, priority, ttlMs, edits });
    await this.compute(context, pin, checked);
    return context;
  }

  /**
   * A new version of a context: another text, of which only what differs is computed. The context itself stays as it is, and can be used on.
   *
   * @example
   * const doc = await engine.cache.add(longText);
   * const next = await engine.cache.revise(doc, longText.replace('cat', 'dog'), { reuse: 'moved' });
   */
  async revise(
    context: Context,
    input: ContextInput,
    options: ReviseOptions = {},
  ): Promise<Context> {
    const checked = checkOptions(options, { ...inputChecks, reuse: oneOf('prefix', 'moved') });
    const old = this.#engine.contentOf(context);
    const { namespace } = context;
    const { pin = context.pinned, priority = context.priority, ttlMs = context.ttlMs } = checked;
    const isMoved = checked.reuse === 'moved';
    if (isMoved && context.edits.length > 0)
      throw invalidArgument('context', 'one that is not compressed', 'a compressed one');
    const before =
      old.base === NOTHING ? undefined : { content: plain(NO_IDS, old.base), edits: [] };
    const { ids } = (await this.tokensOf(input, checked, before)).content;
    const content = isMoved ? revised(oldText(old), ids) : plain(ids, old.base);
    // What was done to the whole of the old text is done to the whole of the new one.
    const edits = context.edits
      .filter(({ index }) => index === context.length)
      .map((edit) => ({ ...edit, index: ids.length }));
    const next = new Context(this.#engine.core, content, { namespace, priority, ttlMs, edits });
    await this.compute(next, pin, checked);
    return next;
  }

  /**
   * A compressed copy of a context, for all who use it. The context itself stays as it is; release it if nobody needs it any more.
   *
   * @example
   * const doc = await engine.cache.add(longText);
   * const small = await engine.cache.compress(doc, { policy: 'chelsea', keep: 0.25 });
   */
  async compress(
    context: Context,
    compression: Compression,
    options: KeepOptions = {},
  ): Promise<Context> {
    const checked = checkOptions(options, keepChecks);
    const compress = isSharedCompression('compression', compression);
    const content = this.#engine.contentOf(context);
    const { namespace } = context;
    const { pin = context.pinned, priority = context.priority, ttlMs = context.ttlMs } = checked;
    if (context.edits.length > 0)
      throw invalidArgument('context', 'one that is not compressed', 'a compressed one');
    const edits = this.editsOf(content, compress);
    const small = new Context(this.#engine.core, content, { namespace, priority, ttlMs, edits });
    await this.compute(small, pin, checked);
    return small;
  }

  /** Keeps a context until it is released. If its keys and values have been evicted, computes them again. */
  async pin(context: Context, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = checkOptions(options, { signal: isSignal });
    this.#engine.contentOf(context);
    // A pin with a time to live may have ended.
    if (!context.pinned || context.ttlMs > 0) await this.compute(context, true, { signal });
  }

  /** Releases a context. Its keys and values become ordinary cache; the context cannot be used any more. */
  release(context: Context): void {
    isContext('context', context).release();
  }

  /** Forgets all keys and values that no request uses and no pin keeps. */
  clear(): void {
    this.#engine.core.native.clearCache();
  }

  private editsOf(content: Content, compress: ReadCompression | undefined): readonly NativeEdit[] {
    if (content.base !== NOTHING || content.parts.length > 0) refuseParts(compress);
    const { contextLength } = this.#engine.core.native.description();
    const end = content.ids.length;
    return scheduleOf({ compress, before: [], at: end, end, contextLength }).edits ?? [];
  }

  private async tokensOf(
    input: ContextInput,
    options: Pick<PromptOptions, 'specialTokens' | 'templateOptions' | 'signal'>,
    before: Before | undefined,
  ): Promise<Before> {
    const how = { ...options, before };
    if (typeof input === 'string') return this.#engine.encodeText(input, how);
    const items = readList('input', input, 'a text, messages or token ids', (item) => item);
    if (typeof items[0] !== 'object') return continued(before, isIntegerList('input', items));
    return this.#engine.encodeWhole(checkMessages(items), how);
  }

  private async compute(
    context: Context,
    pinned: boolean,
    { signal, onProgress }: Pick<InputOptions, 'signal' | 'onProgress'>,
  ): Promise<void> {
    const { core } = this.#engine;
    const { content, namespace, priority, ttlMs } = context;
    const n = content.ids.length;
    const engine = { core, namespace };
    // Each part continues the previous one, which is in the cache by then.
    for (let end = PROGRESS_TOKENS; onProgress && end < n; end += PROGRESS_TOKENS) {
      const edits = [...editsWithin(context.edits, end)];
      const first = withIds(content, content.ids.subarray(0, end));
      await evaluate(engine, { kind: 'prefill', content: first, edits }, signal);
      onProgress({ tokens: end, totalTokens: n });
    }
    const pin = pinned ? core.newPin() : 0;
    const edits = [...context.edits];
    const whole = { kind: 'prefill', content, edits, pin, priority, ttlMs } as const;
    const { kv, movedTokens } = await evaluate(engine, whole, signal);
    context.setUsage(kv, movedTokens);
    try {
      onProgress?.({ tokens: n, totalTokens: n });
    } catch (error) {
      core.unpin(pin); // no caller receives the context
      throw error;
    }
    if (pin !== 0) context.hold(pin);
  }
}

/** They stand one after the other. */
function sourcesOf(value: Context | readonly Context[] | undefined): GivenContext | undefined {
  if (value === undefined) return undefined;
  const contexts = Context.isOne(value) ? [value] : value;
  return { contexts, arrangement: { how: 'sequence' } };
}
