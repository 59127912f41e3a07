/**
 * Python's values. Text, booleans, None (null), whole numbers (number, or bigint beyond 2^53) and lists (arrays) are JavaScript's
 * own; types that JavaScript cannot tell apart are classes here.
 */
import { chargeItems } from './budget.js';
import { TemplateError, unsupported } from './errors.js';

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Float
  | Value[]
  | Tuple
  | Dict
  | Undefined
  | Range
  | View
  | Stream
  | Slice
  | Callable
  | Namespace
  | Markup
  | Opaque;

/** Python prints 1.0, where JavaScript has only 1. */
export class Float {
  constructor(readonly value: number) {
    chargeItems(0);
  }
}

export class Tuple {
  /** `names`: of the items, where it is a named tuple. */
  constructor(
    readonly items: readonly Value[],
    readonly names: readonly string[] = [],
  ) {}
}

export class Dict {
  readonly #entries = new Map<unknown, [Value, Value]>();

  /** A later value of an equal key replaces the earlier one, and the first key stays. */
  static of(entries: Iterable<readonly [Value, Value]>): Dict {
    const dict = new Dict();
    for (const [key, value] of entries) dict.set(key, value);
    chargeItems(dict.size);
    return dict;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(identityOf(key))?.[1];
  }

  /** Only while the dict is being made. */
  set(key: Value, value: Value): void {
    const identity = identityOf(key);
    const entry = this.#entries.get(identity);
    if (entry) entry[1] = value;
    else this.#entries.set(identity, [key, value]);
  }

  entries(): IterableIterator<[Value, Value]> {
    return this.#entries.values();
  }

  *keys(): Generator<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }

  *values(): Generator<Value> {
    for (const [, value] of this.#entries.values()) yield value;
  }
}

/** A missing value; most uses of it fail with `message`. */
export class Undefined {
  constructor(readonly message: string) {}
}

export class Range {
  readonly length: number;

  constructor(
    readonly start: number,
    readonly stop: number,
    readonly step: number,
  ) {
    this.length = Math.max(0, Math.ceil((stop - start) / step));
  }

  at(index: number): number {
    return this.start + index * this.step;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
}

/** The result of a dict's keys(), values() and items(). */
export class View {
  constructor(
    readonly dict: Dict,
    readonly kind: 'keys' | 'values' | 'items',
  ) {
    chargeItems(0);
  }

  *[Symbol.iterator](): Generator<Value> {
    for (const [key, value] of this.dict.entries())
      yield this.kind === 'keys' ? key : this.kind === 'values' ? value : new Tuple([key, value]);
  }
}

/** The cost of a stream, as items of a list: the state of an unfinished function. */
const STREAM = 120;

/** Values that are made on demand and can be read once: Python's generators. */
export class Stream {
  readonly #iterator: Iterator<Value>;

  constructor(values: Iterable<Value>) {
    chargeItems(STREAM);
    this.#iterator = values[Symbol.iterator]();
  }

  /** An iterator that can continue after a loop over it has ended early. */
  [Symbol.iterator](): Iterator<Value> {
    return { next: () => this.#iterator.next() };
  }
}

export class Slice {
  constructor(
    readonly start: Value,
    readonly stop: Value,
    readonly step: Value,
  ) {}
}

/** Text that `safe` or `escape` has marked. We do a few of the things that Python does with it, and refuse the others. */
export class Markup {
  constructor(readonly text: string) {}
}

/** Arguments of a call. */
export interface Arguments {
  positional: readonly Value[];
  named: ReadonlyMap<string, Value>;
}

export class Callable {
  constructor(
    readonly name: string,
    readonly call: (given: Arguments) => Value,
    /** For a macro: its printed form. */
    readonly text?: string,
  ) {}
}

export class Namespace {
  readonly fields = new Map<string, Value>();
}

/** A value with attributes of its own: the state of a loop. */
export abstract class Opaque {
  abstract attribute(name: string): Value | undefined;
  abstract call(given: Arguments): Value;
  abstract print(): string;
}

/** The same result for keys that Python treats as equal, such as 1, 1.0 and True. */
export function identityOf(key: Value): unknown {
  if (typeof key === 'string' || typeof key === 'number' || key === null) return key;
  if (typeof key === 'boolean') return Number(key);
  if (typeof key === 'bigint' || key instanceof Undefined) return key;
  if (key instanceof Markup) return key.text;
  if (key instanceof Float && Number.isNaN(key.value)) return key; // equal to no other
  if (key instanceof Float)
    return Number.isInteger(key.value) && !Number.isSafeInteger(key.value)
      ? BigInt(key.value)
      : key.value;
  if (Array.isArray(key) || key instanceof Dict || key instanceof Slice)
    throw new TemplateError(`unhashable type: '${typeName(key)}'`);
  throw unsupported(`a ${typeName(key)} as key of a dict`);
}

export function isInteger(value: Value): value is number | bigint | boolean {
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
}

export function isNumber(value: Value): value is number | bigint | boolean | Float {
  return isInteger(value) || value instanceof Float;
}

/** A whole number that fits into an index; Python's True counts as 1. */
export function toIndex(value: Value, what: string): number {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'bigint') return value > 0 ? Infinity : -Infinity;
  if (typeof value === 'number') return value;
  throw wrongType(what, 'a whole number', value);
}

export function toText(value: Value, what: string): string {
  if (typeof value === 'string') return value;
  throw wrongType(what, 'text', value);
}

export function wrongType(what: string, expected: string, value: Value): TemplateError {
  if (value instanceof Undefined) return new TemplateError(value.message);
  return new TemplateError(`${what} expects ${expected}, not ${typeName(value)}`);
}

/** The name of its type in Python. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' || typeof value === 'bigint') return 'int';
  if (typeof value === 'string') return 'str';
  if (Array.isArray(value)) return 'list';
  const names: [abstract new (...given: never[]) => unknown, string][] = [
    [Float, 'float'],
    [Tuple, 'tuple'],
    [Dict, 'dict'],
    [Undefined, 'Undefined'],
    [Range, 'range'],
    [Stream, 'generator'],
    [Slice, 'slice'],
    [Namespace, 'Namespace'],
    [Markup, 'Markup'],
    [Callable, 'function'],
  ];
  if (value instanceof View) return `dict_${value.kind}`;
  return names.find(([type]) => value instanceof type)?.[1] ?? 'LoopContext';
}
