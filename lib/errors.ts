import { types } from 'node:util';

/** The codes of `CachalotError`. The first part mirrors native/base/error.h; the second belongs to lib/. */
export type ErrorCode =
  | 'internal'
  | 'invalid_argument'
  | 'io'
  | 'model_not_found'
  | 'file_truncated'
  | 'file_bad_magic'
  | 'file_bad_version'
  | 'file_bad_metadata'
  | 'file_duplicate_key'
  | 'file_bad_alignment'
  | 'file_bad_tensor'
  | 'file_duplicate_tensor'
  | 'file_tensor_overlap'
  | 'file_tensor_out_of_bounds'
  | 'unsupported_type'
  | 'unsupported_architecture'
  | 'model_missing_key'
  | 'model_bad_value'
  | 'model_missing_tensor'
  | 'model_bad_shape'
  | 'model_changed'
  | 'context_overflow'
  | 'kv_budget_exceeded'
  | 'deadline_exceeded'
  | 'out_of_memory'
  | 'device_unavailable'
  | 'device_failed'
  | 'not_a_number'
  | 'grammar_failed'
  | 'aborted'
  | 'disposed'
  // lib/
  | 'not_supported'
  | 'no_binary'
  | 'tokenizer_unsupported'
  | 'tokenizer_invalid'
  | 'tokenizer_timeout'
  | 'template_missing'
  | 'template_failed'
  | 'template_timeout'
  | 'template_too_large'
  | 'session_busy'
  | 'object_refused'
  | 'source_invalid'
  | 'download_failed'
  | 'download_corrupt';

const BRAND = Symbol.for('cachalot.CachalotError');

/**
 * Every error that this package throws. `code` is for programs; the message says what is wrong, where, and what to do. The error of
 * an aborted signal has the code "aborted", the signal's reason as `cause`, and the standard name AbortError.
 *
 * @example
 * try {
 *   await Engine.load('missing.gguf');
 * } catch (error) {
 *   if (error instanceof CachalotError && error.code === 'model_not_found') console.error(error.message);
 * }
 */
export class CachalotError extends Error {
  /** Test runners and bundlers may load the package twice: each copy recognizes the errors of the other. */
  static [Symbol.hasInstance](value: unknown): boolean {
    if (this !== CachalotError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return types.isNativeError(value) && BRAND in value;
  }

  override readonly name: 'CachalotError' | 'AbortError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = code === 'aborted' ? 'AbortError' : 'CachalotError';
    this.code = code;
  }
}

Object.defineProperty(CachalotError.prototype, BRAND, { value: true });

/** Turns an error of the addon, which has a code but another class, into ours. */
export function fromNative(error: unknown): CachalotError {
  if (error instanceof CachalotError) return error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  const text = typeof message === 'string' ? message : String(error);
  // An error that none of our code has caught carries no more information than this.
  const known = text === 'std::bad_alloc' ? 'out_of_memory' : code;
  return new CachalotError(typeof known === 'string' ? (known as ErrorCode) : 'internal', text, {
    cause: error,
  });
}

/** Wraps an object of the addon, so that its methods throw, and reject with, our errors. */
export function withOurErrors<T extends object>(target: T): T {
  const ours = (error: unknown) => {
    throw fromNative(error);
  };
  return new Proxy(target, {
    get(object, key) {
      const method: unknown = Reflect.get(object, key);
      if (typeof method !== 'function') return method;
      return (...given: unknown[]) => {
        try {
          const result: unknown = Reflect.apply(method, object, given);
          return types.isPromise(result) ? result.catch(ours) : result;
        } catch (error) {
          return ours(error);
        }
      };
    },
  });
}

/** "expected X for `name`, received Y" */
export function invalidArgument(name: string, expected: string, received: unknown): CachalotError {
  return new CachalotError(
    'invalid_argument',
    `expected ${expected} for \`${name}\`, received ${describe(received)}`,
  );
}

function describe(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
  if (types.isProxy(value)) return 'a Proxy'; // reading anything else of it may throw
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'function') return 'a function';
  return String(value);
}

/** The error of an aborted signal, with the caller's reason as its cause. */
export function abortError(signal?: AbortSignal): CachalotError {
  return new CachalotError('aborted', 'the operation was aborted', { cause: signal?.reason });
}
