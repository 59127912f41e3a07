/** Prints values as Python does: str and repr. */
import { Pieces, chargeText } from './budget.js';
import { unsupported } from './errors.js';
import {
  Callable,
  Dict,
  Float,
  Markup,
  Namespace,
  Range,
  Tuple,
  Undefined,
  View,
} from './values.js';
import { Opaque, typeName } from './values.js';
import type { Value } from './values.js';

/** Python's str(). */
export function print(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Markup) return value.text;
  if (value instanceof Undefined) return '';
  return represent(value);
}

/** Python's repr(). */
export function represent(value: Value): string {
  if (value === null) return 'None';
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'boolean':
      return value ? 'True' : 'False';
    case 'number':
    case 'bigint':
      return String(value);
  }
  if (value instanceof Float) return printFloat(value.value);
  if (Array.isArray(value)) return list('[', value, ']');
  if (value instanceof Tuple) return list('(', value.items, value.items.length === 1 ? ',)' : ')');
  if (value instanceof Dict) return printEntries(value.entries());
  if (value instanceof View) return list(`dict_${value.kind}([`, value, '])');
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Markup) return `Markup(${quote(value.text)})`;
  if (value instanceof Range) {
    const { start, stop, step } = value;
    return step === 1 ? `range(${start}, ${stop})` : `range(${start}, ${stop}, ${step})`;
  }
  if (value instanceof Namespace) return `<Namespace ${printEntries(value.fields)}>`;
  if (value instanceof Opaque) return value.print();
  if (value instanceof Callable && value.text !== undefined) return value.text;
  // Python prints the address in memory.
  throw unsupported(`printing a ${typeName(value)}`);
}

function list(begin: string, values: Iterable<Value>, end: string): string {
  return enclosed(begin, values, represent, end);
}

function printEntries(entries: Iterable<[Value, Value]>): string {
  return enclosed('{', entries, ([key, value]) => `${represent(key)}: ${represent(value)}`, '}');
}

function enclosed<T>(begin: string, all: Iterable<T>, text: (one: T) => string, end: string) {
  const pieces = new Pieces();
  pieces.push(begin);
  for (const one of all) pieces.push((pieces.text === begin ? '' : ', ') + text(one));
  pieces.push(end);
  return pieces.text;
}

/** The shortest digits that read back as this number, with an exponent below 1e-4 and from 1e16. */
export function printFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [digits, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (power < -4 || power >= 16)
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  const text = String(value);
  if (text.includes('e')) return value.toFixed(digits.replace(/[-.]/g, '').length - 1 - power);
  return text.includes('.') ? text : `${text}.0`;
}

const ESCAPES: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Invisible characters are escaped, except U+FDD0 to U+FDEF, which Python escapes, too: we mark names in users' text with these,
 * and take the marks out of the template's text later (name-breaker.ts).
 */
const UNSEEN = /[\p{C}\p{Z}\\]/gu;
const SEEN = /[ \ufdd0-\ufdef]/;

function quote(text: string): string {
  chargeText(text.length);
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(UNSEEN, (one) => {
    if (SEEN.test(one)) return one;
    if (ESCAPES[one] !== undefined) return ESCAPES[one];
    const code = one.codePointAt(0)!;
    const hex = code.toString(16);
    if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
  });
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}
