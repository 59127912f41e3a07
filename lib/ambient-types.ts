/**
 * What the package's types need of their surroundings, for programs that have neither Node's types nor the DOM's, or a library of types from
 * before `using`. Where there are such declarations, these say the same.
 */
declare global {
  interface AbortSignal {
    readonly aborted: boolean;
  }

  interface SymbolConstructor {
    readonly dispose: unique symbol;
    readonly asyncDispose: unique symbol;
  }

  interface Disposable {
    [Symbol.dispose](): void;
  }

  interface AsyncDisposable {
    [Symbol.asyncDispose](): PromiseLike<void>;
  }
}

export {};
