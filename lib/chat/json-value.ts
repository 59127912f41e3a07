/** JSON values that are given as objects: tools' arguments, variables of a template. They are copied, and each part is read once. */
import { types } from 'node:util';

import { invalidArgument } from '../errors.js';
import type { ExactJson } from './exact-json.js';

export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** The limit of untrusted JSON, see parse-json.ts: code that walks the value later may be recursive. */
const MAX_DEPTH = 64;
const MAX_VALUES = 1 << 16;

/** A copy of a JSON value. Throws invalid_argument, which says where the first invalid part is. */
export function copyJson(name: string, given: unknown): JsonValue {
  let values = 0;
  const copy = (at: string, value: unknown, depth: number): JsonValue => {
    if (++values > MAX_VALUES || depth > MAX_DEPTH)
      throw invalidArgument(
        name,
        `at most ${MAX_VALUES} values, at most ${MAX_DEPTH} deep in each other`,
        given,
      );
    if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    if (Array.isArray(value))
      return Array.from(value, (item, i) => copy(`${at}[${i}]`, item, depth + 1));
    if (!isPlain(value)) throw invalidArgument(at, 'a value of JSON', value);
    const entries = Object.entries(value).filter(([, part]) => part !== undefined);
    return Object.fromEntries(
      entries.map(([key, part]) => [key, copy(`${at}.${key}`, part, depth + 1)]),
    );
  };
  return copy(name, given, 0);
}

/** A plain object: not a list, and not an instance of a class. */
export function copyJsonObject(name: string, given: unknown): Record<string, JsonValue> {
  if (!isPlain(given)) throw invalidArgument(name, 'an object', given);
  return copyJson(name, given) as Record<string, JsonValue>;
}

/** The value with each of its texts, keys included, changed by `change`. */
export function mapTexts(value: ExactJson, change: (text: string) => string): ExactJson {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item: ExactJson) => mapTexts(item, change));
  const pair = ([key, part]: [string, ExactJson]) => [change(key), mapTexts(part, change)] as const;
  if (value instanceof Map) return new Map(Array.from(value, pair));
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value as Record<string, ExactJson>).map(pair));
}

/** The characters of all its texts, plus one for each of its values. */
export function textLength(value: JsonValue): number {
  if (typeof value === 'string') return value.length + 1;
  if (typeof value !== 'object' || value === null) return 1;
  return Object.entries(value).reduce((n, [key, part]) => n + key.length + textLength(part), 1);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  // Works for any realm: the prototype of a plain object has no prototype itself.
  return Object.getPrototypeOf(prototype) === null && !ArrayBuffer.isView(value);
}
