/**
 * Options are read once. The given value may be anything: a getter or a Proxy that answers differently the second time, or a list
 * that its owner changes later. So a check returns the value that it has seen, copied if others could change it, and only that is used.
 * Only an object's own enumerable keys count: a property of a prototype never becomes an option.
 */
import { CachalotError, invalidArgument } from '../errors.js';
import { isRealSignal } from '../signals/real-signal.js';

/** Returns the value to use, or throws; `name` is the option as the user wrote it. */
export type Check<T = unknown> = (name: string, value: unknown) => T;

export function numberIn(min: number, max: number): Check<number> {
  return (name, value) => {
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw invalidArgument(name, `a number from ${min} to ${max}`, value);
    }
    return value;
  };
}

export function integerIn(min: number, max: number): Check<number> {
  return (name, value) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw invalidArgument(name, `an integer from ${min} to ${max}`, value);
    }
    return value;
  };
}

export function oneOf<const Word extends string>(...choices: readonly Word[]): Check<Word> {
  return (name, value) => {
    if (!choices.includes(value as Word)) {
      throw invalidArgument(name, `one of ${choices.join(', ')}`, value);
    }
    return value as Word;
  };
}

/** For a value that other code checks. */
export const isAnything: Check = (_, value) => value;

export const isString: Check<string> = (name, value) => {
  if (typeof value !== 'string') throw invalidArgument(name, 'a string', value);
  return value;
};

const MAX_NAME = 1 << 16;

/**
 * Whether a text is Unicode, without halves of surrogate pairs. In UTF-8 all such halves become the same character, so that two
 * names could become one.
 */
export function isUnicode(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** A blank text. */
export function isBlank(text: string): boolean {
  return text.trim() === '';
}

/** A text by which something is found: two different ones must stay different. */
export const isName: Check<string> = (name, value) => {
  const text = isString(name, value);
  if (text.length > MAX_NAME || !isUnicode(text))
    throw invalidArgument(name, `Unicode text of at most ${MAX_NAME} characters`, text);
  return text;
};

/** A path or the name of a model. A NUL would end it for the file system and hide the rest. */
export const isPath: Check<string> = (name, value) => {
  const path = isName(name, value);
  if (path === '' || path.includes('\0'))
    throw invalidArgument(name, 'a path or a name without NUL characters', path);
  return path;
};

export const isBoolean: Check<boolean> = (name, value) => {
  if (typeof value !== 'boolean') throw invalidArgument(name, 'true or false', value);
  return value;
};

type Anyhow = (...given: never[]) => unknown;

export const isFunction: Check<Anyhow> = (name, value) => {
  if (typeof value !== 'function') throw invalidArgument(name, 'a function', value);
  return value as Anyhow;
};

export const isSignal: Check<AbortSignal> = (name, value) => {
  if (!isRealSignal(value)) throw invalidArgument(name, 'an AbortSignal', value);
  return value;
};

/** More than any context or batch holds. */
const MAX_ITEMS = 2 ** 24;

/** Whatever a getter or a Proxy throws is reported as an error of its argument. */
export function reading<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CachalotError) throw error;
    throw new CachalotError('invalid_argument', `\`${name}\` cannot be read: it throws`, {
      cause: error,
    });
  }
}

/** An object with the given one's own keys and no prototype, so that a missing key is not found on a prototype that was added to. */
export function ownOnly<T extends object>(options: T): T {
  return Object.assign(Object.create(null) as T, options);
}

/** The items of an array or typed array, each read once, without its iterator. `read` returns the value to keep of one. */
export function readList<T>(
  name: string,
  value: unknown,
  expected: string,
  read: (item: unknown, index: number) => T,
  maxItems = MAX_ITEMS,
): T[] {
  return reading(name, () => {
    const list = value as ArrayLike<unknown>;
    const isList = Array.isArray(value) || ArrayBuffer.isView(value);
    const length: unknown = isList ? list.length : undefined;
    if (!Number.isSafeInteger(length) || (length as number) < 0)
      throw invalidArgument(name, expected, value);
    if ((length as number) > maxItems)
      throw invalidArgument(name, `${expected}, at most ${maxItems} of them`, value);
    const items: T[] = [];
    for (let i = 0; i < (length as number); i++) items.push(read(list[i], i));
    return items;
  });
}

/** Integers from 0 to 2^31 - 1: token ids, row numbers. */
export const isIntegerList: Check<Int32Array> = (name, value) => {
  const expected = 'an array of integers from 0 to 2147483647';
  const items = readList(name, value, expected, (item) => {
    const isFine = Number.isInteger(item) && (item as number) >= 0 && (item as number) < 2 ** 31;
    if (!isFine) throw invalidArgument(name, expected, value);
    return item as number;
  });
  return Int32Array.from(items);
};

/** Throws unless a vocabulary of that size contains all the tokens. */
export function checkIds(name: string, ids: ArrayLike<number>, vocabulary: number): void {
  const wrong = Array.from(ids).find((id) => id >= vocabulary);
  if (wrong === undefined) return;
  throw invalidArgument(name, `ids below ${vocabulary}, the size of the vocabulary,`, wrong);
}

const MAX_STOPS = 64;
const MAX_STOP = 1 << 16;

/** A non-empty string, or an array of them. */
export const isStopList: Check<string[]> = (name, value) => {
  const expected = `a non-empty string of Unicode text or an array of at most ${MAX_STOPS} of them`;
  const read = (item: unknown) => {
    if (typeof item !== 'string' || item === '' || item.length > MAX_STOP || !isUnicode(item))
      throw invalidArgument(name, expected, value);
    return item;
  };
  if (typeof value === 'string') return [read(value)];
  return readList(name, value, expected, read, MAX_STOPS);
};

/** A key that is part of the API but has no implementation yet. */
export const notSupportedYet: Check<never> = (name) => {
  throw new CachalotError('not_supported', `\`${name}\` is not supported yet`);
};

/**
 * The values in `given`, as their checks return them: a frozen object without a prototype. Keys that are undefined are absent, and
 * unknown keys are errors.
 */
export function checkOptions<T extends object>(
  given: T,
  checks: Record<string, Check>,
  prefix = '',
): Readonly<T> {
  const name = prefix.replace(/\.$/, '') || 'options';
  return reading(name, () => {
    const isObject = typeof given === 'object' && given !== null;
    if (!isObject || Array.isArray(given) || ArrayBuffer.isView(given))
      throw invalidArgument(name, 'an object', given);
    const copy = Object.create(null) as Record<string, unknown>;
    for (const key of Object.keys(given)) {
      const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
      if (check === undefined) {
        throw new CachalotError(
          'invalid_argument',
          `unknown option \`${prefix}${key}\`; known are ${Object.keys(checks).join(', ')}`,
        );
      }
      const value = (given as Record<string, unknown>)[key];
      const read = value === undefined ? undefined : check(prefix + key, value);
      if (read !== undefined) copy[key] = read;
    }
    return Object.freeze(copy) as Readonly<T>;
  });
}
