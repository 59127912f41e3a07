/** Converts values from a host program to Python's values for a template. */
import { types } from 'node:util';

import { receive } from './budget.js';
import { unsupported } from './errors.js';
import { Dict, Float } from './values.js';
import type { Value } from './values.js';

/** Counts each value as so many characters. */
const VALUE = 8;

export function fromHost(value: unknown): Value {
  receive(VALUE);
  switch (typeof value) {
    case 'string':
      receive(value.length);
      return value;
    case 'number':
      return fromNumber(value);
    case 'boolean':
    case 'bigint':
      return value;
    case 'undefined':
      return null;
    case 'object':
      if (value === null) return null;
      if (Array.isArray(value)) return value.map(fromHost);
      if (types.isNumberObject(value)) return new Float(Number(value)); // whatever its text was
      if (types.isMap(value)) return fromEntries(value.entries() as Iterable<[string, unknown]>);
      if (isPlain(value)) return fromObject(value);
  }
  throw unsupported(`a variable of type ${Object.prototype.toString.call(value).slice(8, -1)}`);
}

/** Fields that are undefined are absent, as in JSON. */
export function fromObject(object: object): Dict {
  return fromEntries(Object.entries(object));
}

function fromEntries(entries: Iterable<[string, unknown]>): Dict {
  const dict = new Dict();
  for (const [key, value] of entries) {
    receive(key.length);
    if (value !== undefined) dict.set(key, fromHost(value));
  }
  return dict;
}

/** As Python reads the number's JSON: a whole number unless it is written with an exponent. */
function fromNumber(value: number): Value {
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? 0 : value;
  return Number.isInteger(value) && Math.abs(value) < 1e21
    ? BigInt(JSON.stringify(value))
    : new Float(value);
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || prototype === Object.prototype;
}
