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
  readList,
} from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';
import type { NativeEdit } from '../native.js';
import { isSharedCompression } from '../options/compress-options.js';
import type { Compression, ReadCompression } from '../options/compress-options.js';
import { editsWithin, scheduleOf } from '../options/edit-schedule.js';
import { DEFAULT_PRIORITY } from '../options/generate-options.js';
import { Context, isContext } from './context.js';
import type { EngineParts } from './engine-parts.js';
import { evaluate } from './evaluate.js';

export interface AddOptions {
  /** Keeps it until it is released. Otherwise it stays as long as there is room. Default false. */
  pin?: boolean | undefined;
  /** 0 to 100: contexts of a lower priority are evicted first. Default 35. */
  priority?: number | undefined;
  /** How long it is kept after its last use, in milliseconds; its pin ends then, too. Default: no limit. */
  ttlMs?: number | undefined;
  /** Part of the key under which the cache finds it; only prompts of the same namespace can use it. Default: the engine's. */
  namespace?: string | undefined;
  /** Whether names of special tokens in a text mean those tokens. Default false. */
  specialTokens?: boolean | undefined;
  /** Of a conversation: variables of the chat template. */
  templateOptions?: TemplateOptions | undefined;
  /** Keeps fewer keys and values than the text has: all who use the context read what is left. See docs/compression.md. */
  compress?: Compression | undefined;
  signal?: AbortSignal | undefined;
  /** Called while the text is computed, with the tokens done so far and the tokens in all. */
  onProgress?: (progress: { tokens: number; totalTokens: number }) => void;
}

/** How many tokens are computed between two calls of `onProgress`. */
const PROGRESS_TOKENS = 2048;

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
  async add(
    input: string | readonly Message[] | readonly number[],
    options: AddOptions = {},
  ): Promise<Context> {
    const checked = checkOptions(options, {
      pin: isBoolean,
      priority: integerIn(0, 100),
      ttlMs: integerIn(1, 2 ** 31),
      namespace: isName,
      specialTokens: isBoolean,
      templateOptions: isTemplateOptions,
      compress: isSharedCompression,
      signal: isSignal,
      onProgress: isFunction,
    });
    const { pin = false, priority = DEFAULT_PRIORITY, ttlMs = 0 } = checked;
    const namespace = checked.namespace ?? this.#engine.namespace;
    const ids = await this.tokensOf(input, checked);
    const compress = checked.compress as ReadCompression | undefined; // as its check returned it
    const edits = this.editsOf(ids, compress);
    const context = new Context(this.#engine.core, ids, { namespace, priority, ttlMs, edits });
    await this.compute(context, pin, checked);
    return context;
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
    options: Pick<AddOptions, 'pin' | 'priority' | 'ttlMs' | 'signal'> = {},
  ): Promise<Context> {
    const checks = {
      pin: isBoolean,
      priority: integerIn(0, 100),
      ttlMs: integerIn(1, 2 ** 31),
      signal: isSignal,
    };
    const checked = checkOptions(options, checks);
    const compress = isSharedCompression('compression', compression);
    const ids = this.#engine.tokensOf(context);
    const { namespace } = context;
    const { pin = context.pinned, priority = context.priority, ttlMs = context.ttlMs } = checked;
    if (context.edits.length > 0)
      throw invalidArgument('context', 'one that is not compressed', 'a compressed one');
    const edits = this.editsOf(ids, compress);
    const small = new Context(this.#engine.core, ids, { namespace, priority, ttlMs, edits });
    await this.compute(small, pin, checked);
    return small;
  }

  /** Keeps a context until it is released. If its keys and values have been evicted, computes them again. */
  async pin(context: Context, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = checkOptions(options, { signal: isSignal });
    this.#engine.tokensOf(context);
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

  private editsOf(ids: Int32Array, compress: ReadCompression | undefined): readonly NativeEdit[] {
    const { contextLength } = this.#engine.core.native.description();
    const end = ids.length;
    return scheduleOf({ compress, before: [], at: end, end, contextLength }).edits ?? [];
  }

  private async tokensOf(
    input: string | readonly Message[] | readonly number[],
    options: AddOptions,
  ): Promise<Int32Array> {
    if (typeof input === 'string') return this.#engine.encodeText(input, options);
    const items = readList('input', input, 'a text, messages or token ids', (item) => item);
    if (typeof items[0] !== 'object') return isIntegerList('input', items);
    return this.#engine.encodeWhole(checkMessages(items), options);
  }

  private async compute(
    context: Context,
    pinned: boolean,
    {
      signal,
      onProgress,
    }: { signal?: AbortSignal | undefined; onProgress?: AddOptions['onProgress'] },
  ): Promise<void> {
    const { core } = this.#engine;
    const { ids, namespace, priority, ttlMs } = context;
    const engine = { core, namespace };
    // Each part continues the previous one, which is in the cache by then.
    for (let end = PROGRESS_TOKENS; onProgress && end < ids.length; end += PROGRESS_TOKENS) {
      const edits = [...editsWithin(context.edits, end)];
      await evaluate(engine, { kind: 'prefill', tokens: ids.subarray(0, end), edits }, signal);
      onProgress({ tokens: end, totalTokens: ids.length });
    }
    const pin = pinned ? core.newPin() : 0;
    const edits = [...context.edits];
    const whole = { kind: 'prefill', tokens: ids, edits, pin, priority, ttlMs } as const;
    context.setUsage((await evaluate(engine, whole, signal)).kv);
    try {
      onProgress?.({ tokens: ids.length, totalTokens: ids.length });
    } catch (error) {
      core.unpin(pin); // no caller receives the context
      throw error;
    }
    if (pin !== 0) context.hold(pin);
  }
}
