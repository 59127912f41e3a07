/** The engine as lib/ sees it: requests in, their events out. Knows nothing of text. */
import { CachalotError, fromNative, withOurErrors } from '../errors.js';
import type { FoundLayout, LayoutCache } from '../models/store/layout-cache.js';
import { native } from '../native.js';
import type {
  EngineDescription,
  EngineLoader,
  NativeEngine,
  NativeEngineOptions,
  NativeEvents,
  NativeFinish,
} from '../native.js';
import type { EngineRequest } from '../request/request.js';
import type { RequestEvents } from '../request/request-events.js';
import { processorName } from '../system/processor.js';

/** A likely token and the natural logarithm of its probability. */
export interface TokenLogprob {
  id: number;
  logprob: number;
}

export interface RequestHandlers {
  /** Receives the events of the request, if there is a listener. */
  events?: RequestEvents | undefined;
  onToken(token: TokenLogprob, top: TokenLogprob[]): void;
  /** The last call for a request, in every case. */
  onFinish(finish: NativeFinish): void;
}

/** Engines with requests in flight. They must stay alive even if no other reference exists. */
const busy = new Set<EngineCore>();

/** Ends the native half of an engine that was dropped without `dispose`. */
const forgotten = new FinalizationRegistry<NativeEngine>((engine) => void engine.dispose());

export class EngineCore {
  readonly #engine: NativeEngine;
  readonly #handlers = new Map<number, RequestHandlers>();
  #nextId = 1;
  #nextPin = 1;
  #nextBatch = 1;
  #disposal: Promise<void> | undefined;
  #saving: Promise<void> = Promise.resolve();

  private constructor(engine: NativeEngine) {
    this.#engine = withOurErrors(engine);
  }

  static async load(
    path: string,
    options: NativeEngineOptions,
    onLoading?: (bytes: number, totalBytes: number) => void,
    loader: EngineLoader = native(),
  ): Promise<EngineCore> {
    // The addon holds this callback as long as the engine lives. With a weak reference, an engine that is no longer referenced
    // can be collected, and its native half with it. The listener to the loading is dropped after the load, because it may
    // hold the engine.
    const core: { made?: WeakRef<EngineCore>; onLoading?: typeof onLoading } = { onLoading };
    const thrown: unknown[] = []; // by the listener; no other code would see them
    const onEvents = (events: NativeEvents) => {
      // One message may carry both: everything that JavaScript has not received yet is merged.
      if (events.loadedBytes !== undefined && thrown.length === 0) {
        try {
          core.onLoading?.(events.loadedBytes, events.totalBytes!);
        } catch (error) {
          thrown.push(error);
        }
      }
      core.made?.deref()?.dispatch(events);
    };
    const engine = await loader.load(path, options, onEvents).catch((error: unknown) => {
      throw fromNative(error);
    });
    const made = new EngineCore(engine);
    core.made = new WeakRef(made);
    core.onLoading = undefined;
    if (thrown.length > 0) {
      await made.dispose();
      throw thrown[0];
    }
    forgotten.register(made, engine);
    return made;
  }

  get native(): NativeEngine {
    if (this.#disposal) throw new CachalotError('disposed', 'this engine has been disposed');
    return this.#engine;
  }

  description(): Omit<EngineDescription, 'model'> {
    const { device, ...rest } = this.native.description();
    return { device: { ...device, name: device.name || processorName() }, ...rest };
  }

  /** Queues a request and returns its id. Throws if the request can never run. */
  submit(request: EngineRequest, handlers: RequestHandlers): number {
    const id = this.#nextId++;
    const { events } = handlers;
    this.native.submit({ ...request, id, tellStart: events !== undefined });
    this.#handlers.set(id, handlers);
    if (this.#handlers.size === 1) {
      busy.add(this);
      this.#engine.keepAlive(true);
    }
    events?.queued();
    return id;
  }

  /** The request finishes with reason "aborted" at the next step boundary. */
  cancel(id: number): void {
    if (!this.#disposal) this.#engine.cancel(id);
  }

  /** A number that names a pinned context. */
  newPin(): number {
    return this.#nextPin++;
  }

  /** Announces a batch of `sharedWithNext.length` items, and returns its number. */
  beginBatch(sharedWithNext: Int32Array): number {
    const batch = this.#nextBatch++;
    this.native.beginBatch(batch, sharedWithNext);
    return batch;
  }

  /** An item of a batch that will not be submitted. An item that has ended is ignored. */
  skipBatchItem({ batch, rank }: { batch: number; rank: number }): void {
    if (!this.#disposal) this.#engine.skipBatchItem(batch, rank);
  }

  /** Drops a pin; unknown numbers are ignored. */
  unpin(pin: number): void {
    if (!this.#disposal) this.#engine.unpin(pin);
  }

  private dispatch(events: NativeEvents): void {
    const { started = [], tokens, finished } = events;
    for (const start of started) this.#handlers.get(start.id)?.events?.started(start);
    for (let i = 0; i < tokens.length;) {
      const request = tokens[i]!;
      const n = tokens[i + 3]!;
      const at = (index: number) => ({ id: tokens[index]!, logprob: tokens[index + 1]! });
      const [token, first] = [at(i + 1), i + 4];
      const top = Array.from({ length: n }, (_, t) => at(first + 2 * t));
      i = first + 2 * n;
      const handlers = this.#handlers.get(request);
      if (handlers) this.guard(request, () => handlers.onToken(token, top));
    }
    for (const finish of finished) this.finish(finish.id, finish);
  }

  private finish(id: number, finish: NativeFinish): void {
    const handlers = this.#handlers.get(id);
    if (!handlers) return;
    this.#handlers.delete(id);
    if (this.#handlers.size === 0) {
      busy.delete(this);
      this.#engine.keepAlive(false);
    }
    this.guard(id, () => handlers.onFinish(finish));
  }

  /** An error of one request's handler must not cost other requests their events: it is thrown later, alone. */
  private guard(id: number, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.cancel(id);
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  /** Saves the packed weights, so that later loads can map them. Runs in the background; a failure affects nothing else. */
  keepLayout(layouts: LayoutCache, found: FoundLayout): void {
    if (this.#engine.description().weights !== 'packed') return;
    const { weightBytes } = this.#engine.stats();
    this.#saving = layouts
      .save(found, weightBytes, (path) => this.#engine.saveLayout(path))
      .catch((error: unknown) => {
        const why = (error as Error).message;
        process.emitWarning(
          `the next load of ${found.model} will repack its weights: ${why}. \`layoutCache: false\` tries no longer to keep them`,
          'CachalotWarning',
        );
      });
  }

  /** Ends the engine's thread; requests in flight fail with code "disposed". */
  dispose(): Promise<void> {
    this.#disposal ??= this.end();
    return this.#disposal;
  }

  private async end(): Promise<void> {
    for (const id of [...this.#handlers.keys()]) {
      this.#engine.cancel(id);
      this.finish(id, disposedFinish(id));
    }
    await this.#saving; // the engine's memory is being written
    await this.#engine.dispose();
  }
}

function disposedFinish(id: number): NativeFinish {
  return {
    id,
    reason: 'error',
    errorCode: 'disposed',
    errorMessage: 'the engine was disposed while this request was running',
    promptTokens: 0,
    cachedTokens: 0,
    movedTokens: 0,
    generatedTokens: 0,
    queuedMs: 0,
    prefillMs: 0,
    decodeMs: 0,
    kv: { kept: 0, of: 0, bytes: 0 },
    draft: { proposed: 0, accepted: 0 },
    values: new Float32Array(0),
  };
}
