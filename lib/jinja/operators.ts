/** Python's operators on values. */
import { chargeItems, measured, repeated } from './budget.js';
import { hasPairs, charactersOf } from './characters.js';
import { TemplateError, unsupported } from './errors.js';
import { add, calculate } from './numbers.js';
import { formatPercent } from './percent-format.js';
import { indexOf } from './search.js';
import { sizeOf } from './size.js';
import type { Comparison, Operator } from './syntax.js';
import {
  Dict,
  Float,
  Markup,
  Opaque,
  Range,
  Stream,
  Tuple,
  Undefined,
  View,
  identityOf,
  isInteger,
  isNumber,
  toIndex,
  typeName,
} from './values.js';
import type { Value } from './values.js';

export function isTrue(value: Value): boolean {
  if (value === null) return false;
  if (typeof value !== 'object') return Boolean(value);
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof Undefined) return false;
  if (value instanceof Float) return value.value !== 0;
  return sizeOf(value) !== 0;
}

/** The items that a loop runs over; undefined if Python cannot iterate over the value. */
export function iterated(value: Value): Iterable<Value> | undefined {
  if (Array.isArray(value) || typeof value === 'string') return value;
  if (value instanceof Dict) return value.keys();
  if (value instanceof Tuple) return value.items;
  if (value instanceof Undefined) return [];
  if (value instanceof Range || value instanceof View || value instanceof Stream) return value;
  if (value instanceof Markup) throw unsupported('a loop over text marked as safe');
  if (value instanceof Opaque) throw unsupported('a loop over a loop');
  return undefined;
}

export function iterate(value: Value): Iterable<Value> {
  const items = iterated(value);
  if (items === undefined) throw new TemplateError(`'${typeName(value)}' object is not iterable`);
  return items;
}

/** Equality of items: identical values are equal, even NaN. */
export const isSame = (left: Value, right: Value) => left === right || isEqual(left, right);

export function isEqual(left: Value, right: Value): boolean {
  if (left === right) return !(left instanceof Float && Number.isNaN(left.value));
  if (isNumber(left) && isNumber(right)) return identityOf(left) === identityOf(right);
  if (left instanceof Markup) return isEqual(left.text, right);
  if (right instanceof Markup) return isEqual(left, right.text);
  if (Array.isArray(left)) return Array.isArray(right) && areEqual(left, right);
  if (left instanceof Tuple) return right instanceof Tuple && areEqual(left.items, right.items);
  if (left instanceof Undefined) return right instanceof Undefined;
  if (left instanceof Range)
    return right instanceof Range && areEqual(Array.from(left), Array.from(right));
  if (left instanceof Dict) {
    if (!(right instanceof Dict) || left.size !== right.size) return false;
    for (const [key, value] of left.entries()) {
      const other = right.get(key);
      if (other === undefined || !isSame(value, other)) return false;
    }
    return true;
  }
  if (left instanceof View && right instanceof View) throw unsupported('comparing views of dicts');
  return false;
}

function areEqual(left: readonly Value[], right: readonly Value[]): boolean {
  return left.length === right.length && left.every((item, i) => isSame(item, right[i]!));
}

/** Negative, 0, or positive; NaN if one of them is not a number. */
export function order(left: Value, right: Value, sign = '<'): number {
  for (const one of [left, right])
    if (one instanceof Undefined) throw new TemplateError(one.message);
  if (isNumber(left) && isNumber(right)) {
    const [a, b] = [left, right].map((one) => (one instanceof Float ? one.value : one));
    return a! < b! ? -1 : a! > b! ? 1 : a == b ? 0 : NaN;
  }
  if (typeof left === 'string' && typeof right === 'string') return orderTexts(left, right);
  const lists = Array.isArray(left) && Array.isArray(right);
  if (lists || (left instanceof Tuple && right instanceof Tuple)) {
    const [a, b] = [left, right].map((one) =>
      one instanceof Tuple ? one.items : one,
    ) as Value[][];
    const at = a!.findIndex((item, i) => i >= b!.length || !isSame(item, b![i]!));
    if (at >= 0 && at < b!.length) return order(a![at]!, b![at]!, sign);
    return a!.length - b!.length;
  }
  throw new TemplateError(
    `'${sign}' not supported between instances of '${typeName(left)}' and '${typeName(right)}'`,
  );
}

/** Compares by code points; JavaScript compares by code units. */
function orderTexts(left: string, right: string): number {
  if (left === right) return 0;
  if (!hasPairs(left) && !hasPairs(right)) return left < right ? -1 : 1;
  const [a, b] = [charactersOf(left), charactersOf(right)];
  const at = a.findIndex((one, i) => one !== b[i]);
  if (at < 0 || at >= b.length) return a.length - b.length;
  return a[at]!.codePointAt(0)! - b[at]!.codePointAt(0)!;
}

export function contains(container: Value, item: Value): boolean {
  if (typeof container === 'string') {
    if (item instanceof Markup) return indexOf(container, item.text) >= 0;
    if (typeof item === 'string') return indexOf(container, item) >= 0;
    throw new TemplateError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (container instanceof Dict) return container.get(item) !== undefined;
  const items = iterated(container);
  if (items === undefined)
    throw new TemplateError(`argument of type '${typeName(container)}' is not iterable`);
  for (const one of items) if (isSame(one, item)) return true;
  return false;
}

export function compare(comparison: Comparison, left: Value, right: Value): boolean {
  switch (comparison) {
    case '==':
      return isEqual(left, right);
    case '!=':
      return !isEqual(left, right);
    case 'in':
      return contains(right, left);
    case 'not in':
      return !contains(right, left);
    case '<':
      return order(left, right, '<') < 0;
    case '<=':
      return order(left, right, '<=') <= 0;
    case '>':
      return order(left, right, '>') > 0;
    case '>=':
      return order(left, right, '>=') >= 0;
  }
}

export function arithmetic(operator: Operator, left: Value, right: Value): Value {
  for (const one of [left, right])
    if (
      one instanceof Undefined &&
      !(operator === '%' && typeof left === 'string' && one === right)
    )
      throw new TemplateError(one.message);
  if (isNumber(left) && isNumber(right))
    return operator === '+' ? add(left, right) : calculate(operator, left, right);
  if (operator === '+') {
    const sum = concatenate(left, right);
    if (sum !== undefined) return sum;
  }
  if (operator === '*') {
    const product = isInteger(left) ? repeat(right, left) : isInteger(right) && repeat(left, right);
    if (product) return product.value;
  }
  if (operator === '%' && typeof left === 'string') return formatPercent(left, right);
  throw new TemplateError(
    operator === '+' && typeof left === 'string'
      ? `can only concatenate str (not "${typeName(right)}") to str`
      : `unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`,
  );
}

function concatenate(left: Value, right: Value): Value | undefined {
  if (typeof left === 'string' && typeof right === 'string') return measured(left + right);
  if (left instanceof Markup || right instanceof Markup) {
    const [a, b] = [left, right].map((one) =>
      one instanceof Markup ? one.text : typeof one === 'string' ? escapeHtml(one) : undefined,
    );
    return a === undefined || b === undefined ? undefined : new Markup(measured(a + b));
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    chargeItems(left.length + right.length);
    return left.concat(right);
  }
  if (!(left instanceof Tuple) || !(right instanceof Tuple)) return undefined;
  chargeItems(left.items.length + right.items.length);
  return new Tuple(left.items.concat(right.items));
}

function repeat(value: Value, times: Value): { value: Value } | undefined {
  const count = Math.max(0, toIndex(times, '"*"'));
  if (typeof value === 'string') return { value: repeated(value, count) };
  const items = value instanceof Tuple ? value.items : value;
  if (!Array.isArray(items)) return undefined;
  chargeItems(items.length === 0 ? 0 : items.length * count);
  const all =
    items.length === 0 ? [] : Array.from({ length: count }, () => items as Value[]).flat();
  return { value: value instanceof Tuple ? new Tuple(all) : all };
}

const HTML: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};

export const escapeHtml = (text: string) =>
  measured(text.replace(/[&<>'"]/g, (character) => HTML[character]!));
