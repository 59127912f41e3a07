/** The engine as lib/ sees it: requests in, their events out. Knows nothing of text. */
import { CachalotError, fromNative } from './errors.js';
import { native } from './native.js';
import type {
  NativeEngine,
  NativeEngineOptions,
  NativeEvents,
  NativeFinish,
  NativeRequest,
} from './native.js';

export interface RequestHandlers {
  onToken(id: number, logprob: number): void;
  /** The last call for a request, whatever happened. */
  onFinish(finish: NativeFinish): void;
}

/** Engines with requests in flight: nobody else may hold them. */
const busy = new Set<EngineCore>();

/** Ends the native half of an engine that was dropped without `dispose`. */
const forgotten = new FinalizationRegistry<NativeEngine>((engine) => void engine.dispose());

export class EngineCore {
  readonly #engine: NativeEngine;
  readonly #handlers = new Map<number, RequestHandlers>();
  #nextId = 1;
  #disposal: Promise<void> | undefined;

  private constructor(engine: NativeEngine) {
    this.#engine = engine;
  }

  static async load(path: string, options: NativeEngineOptions): Promise<EngineCore> {
    try {
      // The addon holds this callback as long as the engine lives; a weak reference lets an engine that nobody
      // holds be collected, and its native half with it.
      const core: { made?: WeakRef<EngineCore> } = {};
      const onEvents = (events: NativeEvents) => core.made?.deref()?.dispatch(events);
      const engine = await native().load(path, options, onEvents);
      const made = new EngineCore(engine);
      core.made = new WeakRef(made);
      forgotten.register(made, engine);
      return made;
    } catch (error) {
      throw fromNative(error);
    }
  }

  get native(): NativeEngine {
    if (this.#disposal) throw new CachalotError('disposed', 'this engine has been disposed');
    return this.#engine;
  }

  /** Queues a request and returns its id. Throws if the request can never run. */
  submit(request: Omit<NativeRequest, 'id'>, handlers: RequestHandlers): number {
    const id = this.#nextId++;
    try {
      this.native.submit({ ...request, id });
    } catch (error) {
      throw fromNative(error);
    }
    this.#handlers.set(id, handlers);
    if (this.#handlers.size === 1) {
      busy.add(this);
      this.#engine.keepAlive(true);
    }
    return id;
  }

  /** The request finishes with reason "aborted" at the next step boundary. */
  cancel(id: number): void {
    if (!this.#disposal) this.#engine.cancel(id);
  }

  private dispatch(events: NativeEvents): void {
    const { tokens, finished } = events;
    for (let i = 0; i < tokens.length; i += 3) {
      const handlers = this.#handlers.get(tokens[i]!);
      if (handlers) this.guard(tokens[i]!, () => handlers.onToken(tokens[i + 1]!, tokens[i + 2]!));
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

  /** One request's handler must not cost the others their events: what it throws is thrown later, alone. */
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

  /** Ends the engine's thread; requests in flight fail with code "disposed". */
  dispose(): Promise<void> {
    this.#disposal ??= this.#engine.dispose().then(() => {
      for (const id of [...this.#handlers.keys()]) this.finish(id, disposedFinish(id));
    });
    return this.#disposal;
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
    generatedTokens: 0,
    queuedMs: 0,
    prefillMs: 0,
    decodeMs: 0,
    values: new Float32Array(0),
  };
}
