/** a.b, a['b'] and a[1:2], looked up as in jinja2's sandbox: a.b is first a method, a['b'] first an item. */
import { chargeItems, measured } from './budget.js';
import { charactersOf, hasPairs } from './characters.js';
import { TemplateError, unsupported } from './errors.js';
import { METHODS } from './methods.js';
import { calculate } from './numbers.js';
import { represent } from './print.js';
import {
  Callable,
  Dict,
  Markup,
  Namespace,
  Opaque,
  Range,
  Slice,
  Tuple,
  Undefined,
  isInteger,
  toIndex,
  typeName,
  wrongType,
} from './values.js';
import type { Value } from './values.js';

/** Attributes of Python's values that we lack, which are refused by name. The sandbox forbids some of them, which change a value. */
const OTHERS: Record<string, string> = {
  str: 'encode format_map maketrans translate',
  int: 'as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer numerator real to_bytes',
  float: 'as_integer_ratio conjugate from_number fromhex hex imag is_integer real',
  list: 'append clear extend insert pop remove reverse sort',
  dict: 'clear fromkeys pop popitem setdefault update',
  range: 'count index start step stop',
  dict_keys: 'isdisjoint mapping',
  dict_values: 'mapping',
  dict_items: 'isdisjoint mapping',
  generator: 'close gi_code gi_frame gi_running gi_suspended gi_yieldfrom send throw',
};
OTHERS['bool'] = OTHERS['int']!;

const UNKNOWN = new Map(
  Object.entries(OTHERS).map(([type, names]) => [type, new Set(names.split(' '))]),
);

/** Names that are not looked up among a dict's keys first. */
const isOfDicts = (name: string) =>
  Object.hasOwn(METHODS['dict']!, name) || UNKNOWN.get('dict')!.has(name) || isUnsafe(name);

export function attributeOf(of: Value, name: string): Value {
  // Nearly every attribute in a template is a key.
  if (of instanceof Dict && !isOfDicts(name)) {
    const item = of.get(name);
    return item === undefined ? missing(of, name) : item;
  }
  return attributeOnly(of, name);
}

export function itemOf(of: Value, key: Value): Value {
  const found = ownItem(of, key);
  if (found === undefined && key instanceof Slice) throw wrongType('a slice', 'text or a list', of);
  if (found !== undefined) return found;
  const attribute = typeof key === 'string' ? ownAttribute(of, key) : undefined;
  return attribute === undefined ? missing(of, key) : attribute;
}

/** An attribute that is not an item, for the filter `attr`. */
export function attributeOnly(of: Value, name: string): Value {
  const found = ownAttribute(of, name);
  return found === undefined ? missing(of, name) : found;
}

const ACCESS = { attributeOf, itemOf };

function missing(of: Value, key: Value): Undefined {
  const type = of === null ? 'None' : `'${typeName(of)} object'`;
  return new Undefined(
    typeof key === 'string'
      ? `${type} has no attribute ${represent(key)}`
      : `${type} has no such element`,
  );
}

const isUnsafe = (name: string) => name.startsWith('__') && name.endsWith('__');

function ownAttribute(of: Value, name: string): Value | undefined {
  if (of instanceof Undefined) throw new TemplateError(of.message);
  if (isUnsafe(name)) throw new TemplateError(`access to the attribute "${name}" is unsafe`);
  if (of instanceof Opaque) return of.attribute(name);
  if (of instanceof Namespace) return of.fields.get(name);
  if (of instanceof Tuple && of.names.includes(name)) return of.items[of.names.indexOf(name)];
  if (of instanceof Callable || of instanceof Markup)
    throw unsupported(`the attribute "${name}" of a ${typeName(of)}`);
  const type = typeName(of);
  const methods = METHODS[type];
  if (methods && Object.hasOwn(methods, name)) {
    const method = methods[name]!;
    return new Callable(name, (given) => method(of, given, ACCESS));
  }
  if (UNKNOWN.get(type)?.has(name)) throw unsupported(`"${name}" of a ${type}`);
  return undefined;
}

function ownItem(of: Value, key: Value): Value | undefined {
  if (of instanceof Undefined) throw new TemplateError(of.message);
  if (of instanceof Dict) return isHashable(key) ? of.get(key) : undefined;
  const isText = typeof of === 'string';
  const items = of instanceof Tuple ? of.items : of;
  if (!isText && !Array.isArray(items) && !(items instanceof Range)) {
    if (of instanceof Markup) throw unsupported('an item of text marked as safe');
    return undefined;
  }
  if (key instanceof Slice) return slice(of as string | Value[] | Tuple | Range, key);
  if (!isInteger(key)) return undefined;
  const list = isText && hasPairs(of) ? charactersOf(of) : (items as string | Value[] | Range);
  const index = toIndex(key, 'an index');
  const at = index < 0 ? index + list.length : index;
  if (!(at >= 0 && at < list.length)) return undefined;
  return list instanceof Range ? list.at(at) : list[at];
}

function isHashable(key: Value): boolean {
  return !Array.isArray(key) && !(key instanceof Dict) && !(key instanceof Slice);
}

function slice(of: string | Value[] | Tuple | Range, bounds: Slice): Value | undefined {
  const whole = (value: Value) => value === null || isInteger(value);
  if (![bounds.start, bounds.stop, bounds.step].every(whole)) return undefined;
  const wanted = bounds.step === null ? 1 : toIndex(bounds.step, 'a step');
  const step = Math.max(-Number.MAX_SAFE_INTEGER, Math.min(wanted, Number.MAX_SAFE_INTEGER));
  if (step === 0) throw new TemplateError('slice step cannot be zero');
  const source = typeof of === 'string' && hasPairs(of) ? charactersOf(of) : of;
  const length = source instanceof Tuple ? source.items.length : source.length;
  const place = (value: Value, fallback: number) => {
    if (value === null) return fallback;
    const index = toIndex(value, 'a bound');
    const [least, most] = step > 0 ? [0, length] : [-1, length - 1];
    return Math.min(most, Math.max(least, index < 0 ? index + length : index));
  };
  const start = place(bounds.start, step > 0 ? 0 : length - 1);
  const stop = place(bounds.stop, step > 0 ? length : -1);
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (typeof source === 'string' && step === 1) return measured(source.slice(start, stop));
  if (source instanceof Range) return rangeOf(source, start, stop, wanted);
  const items = source instanceof Tuple ? source.items : source;
  chargeItems(count);
  const taken = (
    step === 1 && typeof source !== 'string'
      ? items.slice(start, start + count)
      : Array.from({ length: count }, (_, i) => items[start + i * step])
  ) as Value[];
  if (typeof of === 'string') return measured((taken as string[]).join(''));
  return of instanceof Tuple ? new Tuple(taken) : taken;
}

function rangeOf(range: Range, start: number, stop: number, step: number): Range {
  if (!Number.isFinite(step)) throw unsupported('a range of so large steps');
  const steps = calculate('*', range.step, step);
  if (typeof steps !== 'number') throw unsupported('a range of so large steps');
  return new Range(range.at(start), range.at(stop), steps);
}
