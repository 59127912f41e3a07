/** Checks of options objects: what native code receives is legal, and a misspelt key is caught by name. */
import { CachalotError, invalidArgument } from './errors.js';

/** Throws unless `value` is fine; `name` is the option as the user wrote it. */
export type Check = (name: string, value: unknown) => void;

export function numberIn(min: number, max: number): Check {
  return (name, value) => {
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw invalidArgument(name, `a number from ${min} to ${max}`, value);
    }
  };
}

export function integerIn(min: number, max: number): Check {
  return (name, value) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw invalidArgument(name, `an integer from ${min} to ${max}`, value);
    }
  };
}

export function oneOf(...choices: string[]): Check {
  return (name, value) => {
    if (typeof value !== 'string' || !choices.includes(value)) {
      throw invalidArgument(name, `one of ${choices.join(', ')}`, value);
    }
  };
}

export const isString: Check = (name, value) => {
  if (typeof value !== 'string') throw invalidArgument(name, 'a string', value);
};

export const isBoolean: Check = (name, value) => {
  if (typeof value !== 'boolean') throw invalidArgument(name, 'true or false', value);
};

export const isFunction: Check = (name, value) => {
  if (typeof value !== 'function') throw invalidArgument(name, 'a function', value);
};

export const isSignal: Check = (name, value) => {
  if (!(value instanceof AbortSignal)) throw invalidArgument(name, 'an AbortSignal', value);
};

/** Integers from 0 to 2^31 - 1: token ids, row numbers. */
export const isIntegerList: Check = (name, value) => {
  const fine = (item: unknown) =>
    Number.isInteger(item) && (item as number) >= 0 && (item as number) < 2 ** 31;
  if (
    !(Array.isArray(value) || ArrayBuffer.isView(value)) ||
    !Array.from(value as unknown[]).every(fine)
  ) {
    throw invalidArgument(name, 'an array of integers from 0 to 2147483647', value);
  }
};

/** A non-empty string, or an array of them. */
export const isStopList: Check = (name, value) => {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > 64 || !list.every((item) => typeof item === 'string' && item !== '')) {
    throw invalidArgument(name, 'a non-empty string or an array of at most 64 of them', value);
  }
};

/** A key that has its place in the API but nothing behind it yet. */
export const notSupportedYet: Check = (name) => {
  throw new CachalotError('not_supported', `\`${name}\` is not supported yet`);
};

/** Checks every key of `options` that is not undefined; unknown keys are errors. */
export function checkOptions(options: object, checks: Record<string, Check>, prefix = ''): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidArgument(prefix.replace(/\.$/, '') || 'options', 'an object', options);
  }
  for (const [key, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
    if (check === undefined) {
      throw new CachalotError(
        'invalid_argument',
        `unknown option \`${prefix}${key}\`; known are ${Object.keys(checks).join(', ')}`,
      );
    }
    if (value !== undefined) check(prefix + key, value);
  }
}
