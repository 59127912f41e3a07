/**
 * Declarations that the package's types need, for programs that have neither Node's types nor the DOM's, or a library of types from
 * before `using`. Where such declarations exist, these agree with them.
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
