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

export class EngineCore {
  readonly #engine: NativeEngine;
  readonly #handlers: Map<number, RequestHandlers>;
  #nextId = 1;
  #disposal: Promise<void> | undefined;

  private constructor(engine: NativeEngine, handlers: Map<number, RequestHandlers>) {
    this.#engine = engine;
    this.#handlers = handlers;
  }

  static async load(path: string, options: NativeEngineOptions): Promise<EngineCore> {
    const handlers = new Map<number, RequestHandlers>();
    let core: EngineCore | undefined;
    try {
      const engine = await native().load(path, options, (events) => core?.dispatch(events));
      core = new EngineCore(engine, handlers);
      return core;
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
    if (this.#handlers.size === 1) this.#engine.keepAlive(true);
    return id;
  }

  /** The request finishes with reason "aborted" at the next step boundary. */
  cancel(id: number): void {
    if (!this.#disposal) this.#engine.cancel(id);
  }

  private dispatch(events: NativeEvents): void {
    const { tokens, finished } = events;
    for (let i = 0; i < tokens.length; i += 3) {
      this.#handlers.get(tokens[i]!)?.onToken(tokens[i + 1]!, tokens[i + 2]!);
    }
    for (const finish of finished) this.finish(finish.id, finish);
  }

  private finish(id: number, finish: NativeFinish): void {
    const handlers = this.#handlers.get(id);
    if (!handlers) return;
    this.#handlers.delete(id);
    if (this.#handlers.size === 0) this.#engine.keepAlive(false);
    handlers.onFinish(finish);
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
