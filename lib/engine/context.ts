/** A text whose keys and values are in the cache, so that prompts can begin with it. */
import type { Check } from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';
import type { Content } from '../layout/layout.js';
import type { NativeEdit } from '../native.js';
import type { KvUsage } from '../options/compress-options.js';
import type { EngineCore } from './engine-core.js';

/** How a context is found and kept. */
export interface ContextOptions {
  namespace: string;
  priority: number;
  ttlMs: number;
  edits: readonly NativeEdit[];
}

/**
 * @example
 * const manual = await engine.cache.add(longText, { pin: true });
 * const { text } = await engine.complete('Q: How do I start it? A:', { context: manual }).result;
 * engine.cache.release(manual);
 */
export class Context implements Disposable {
  /** @internal */
  readonly content: Content;
  /** Part of the key under which the cache finds it. */
  readonly namespace: string;
  /** 0 to 100: its keys and values are evicted after those of a lower priority. */
  readonly priority: number;
  /** How long they are kept after their last use, in milliseconds; 0: as long as there is room, or the context is pinned. */
  readonly ttlMs: number;
  #edits: readonly NativeEdit[];
  readonly #core: EngineCore;
  #usage: KvUsage | undefined;
  #movedTokens = 0;
  #pin = 0;
  #released = false;

  /** @internal Made by `engine.cache.add`. */
  constructor(
    core: EngineCore,
    content: Content,
    { namespace, priority, ttlMs, edits }: ContextOptions,
  ) {
    this.#core = core;
    this.content = content;
    this.namespace = namespace;
    this.priority = priority;
    this.ttlMs = ttlMs;
    this.#edits = edits;
  }

  /** How many tokens it holds. */
  get length(): number {
    return this.content.ids.length;
  }

  /** Its token ids, a copy. */
  get tokens(): number[] {
    return Array.from(this.content.ids);
  }

  /** Of a compressed context: how many keys of how many are kept, and their bytes. */
  get kv(): KvUsage | undefined {
    return this.#usage && { ...this.#usage };
  }

  /** How many of its tokens have keys and values that were not computed where they stand: 0 for a context that is exact. */
  get movedTokens(): number {
    return this.#movedTokens;
  }

  /** @internal What has been edited of it: how it is compressed. */
  get edits(): readonly NativeEdit[] {
    return this.#edits;
  }

  /** @internal As it was computed. A compression that keeps all is none. */
  setUsage(kv: KvUsage, movedTokens: number): void {
    this.#movedTokens = movedTokens;
    if (this.#edits.length > 0) this.#usage = kv;
    if (kv.kept === kv.of) this.#edits = [];
  }

  /** Whether it was pinned: its keys and values stay until it is released, or until `ttlMs` after their last use. */
  get pinned(): boolean {
    return this.#pin !== 0;
  }

  /** A released context cannot be used any more. */
  get released(): boolean {
    return this.#released;
  }

  /** @internal Whether it is a real Context, not an object that looks like one. */
  static isOne(value: unknown): value is Context {
    return typeof value === 'object' && value !== null && #core in value;
  }

  /** @internal */
  belongsTo(core: EngineCore): boolean {
    return this.#core === core;
  }

  /** @internal Takes over a pin; a pin that it already has is given back. */
  hold(pin: number): void {
    const previous = this.#pin;
    if (this.#released) return this.#core.unpin(pin);
    this.#pin = pin;
    if (previous !== 0) this.#core.unpin(previous);
  }

  /** The same as `engine.cache.release(context)`. */
  release(): void {
    this.#released = true;
    if (this.#pin !== 0) this.#core.unpin(this.#pin);
    this.#pin = 0;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

export const isContext: Check<Context> = (name, value) => {
  if (!Context.isOne(value)) throw invalidArgument(name, 'a context of this engine', value);
  return value;
};
