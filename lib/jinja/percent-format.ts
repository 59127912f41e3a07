/** The operator "%" of text, and the formatting of numbers that it shares with str.format. */
import { chargeText, joined, repeated } from './budget.js';
import { charactersOf, lengthOf } from './characters.js';
import { TemplateError, unsupported } from './errors.js';
import { toFixed, toNumber, truncate } from './numbers.js';
import { print, represent } from './print.js';
import { isSequence } from './size.js';
import { Dict, Float, Markup, Tuple, isInteger, isNumber, toIndex, wrongType } from './values.js';
import type { Value } from './values.js';

const FIELD = /%(?:\(([^()]*)\))?([-#0 +]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?([^])?/g;

/** 'a%sb' % value */
export function formatPercent(form: string, given: Value): string {
  let items = given instanceof Tuple ? given.items : [given];
  const dict = given instanceof Dict ? given : undefined;
  const parts: string[] = [];
  let [at, used] = [0, 0];
  const next = (): Value => {
    if (used >= items.length) throw new TemplateError('not enough arguments for format string');
    return items[used++]!;
  };
  for (const found of form.matchAll(FIELD)) {
    parts.push(form.slice(at, found.index));
    at = found.index + found[0].length;
    const [whole, key, flags = '', width, precision, type] = found;
    if (type === undefined) throw new TemplateError('incomplete format');
    if (key !== undefined && !dict) throw new TemplateError('format requires a mapping');
    if (key !== undefined) [items, used] = [[keyed(dict!, key)], 0]; // from here on this is the only value
    const size = width === '*' ? toIndex(next(), 'the width of "%"') : Number(width ?? 0);
    const digits =
      precision === '*' ? toIndex(next(), 'the precision of "%"') : Number(precision ?? 0);
    const hasDigits = whole.includes('.');
    parts.push(
      whole === '%%' ? '%' : formatOne(next(), type, flags, size, hasDigits ? digits : undefined),
    );
  }
  parts.push(form.slice(at));
  // Python ignores unused values if the operand has items, also named ones.
  const hasItems =
    ![Tuple, Markup].some((type) => given instanceof type) &&
    typeof given !== 'string' &&
    isSequence(given);
  if (used < items.length && !hasItems)
    throw new TemplateError('not all arguments converted during string formatting');
  return joined(parts);
}

function keyed(dict: Dict, key: string): Value {
  const value = dict.get(key);
  if (value === undefined) throw new TemplateError(`the format's key ${represent(key)} is missing`);
  return value;
}

function formatOne(
  value: Value,
  type: string,
  flags: string,
  width: number,
  digits: number | undefined,
): string {
  const left = flags.includes('-') || width < 0;
  if (type === 's' || type === 'r') {
    const text = type === 's' ? print(value) : represent(value);
    const cut = digits === undefined ? text : charactersOf(text).slice(0, digits).join('');
    return pad(cut, Math.abs(width), left ? '<' : '>');
  }
  if (!'diufF'.includes(type)) throw unsupported(`"%${type}" in a format`);
  if (flags.includes('#')) throw unsupported('"#" in a format');
  if (!isNumber(value)) throw wrongType(`"%${type}"`, 'a number', value);
  const text = /f/i.test(type) ? fixed(value, digits ?? 6) : wholeText(value, digits);
  const plus = flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const signed = text.startsWith('-') ? text : plus + text;
  return pad(
    signed,
    Math.abs(width),
    left ? '<' : flags.includes('0') ? '=' : '>',
    '0 '[left || !flags.includes('0') ? 1 : 0],
  );
}

function wholeText(value: Value, digits = 0): string {
  const text = String(value instanceof Float ? truncate(value.value) : BigInt(value as number));
  const [, sign, rest] = /^(-?)(.*)$/.exec(text)!;
  return sign! + repeated('0', digits - rest!.length) + rest!;
}

/** As for "f". */
export function fixed(value: Value, digits: number): string {
  if (digits > 100) throw unsupported(`a precision of ${digits} digits`);
  return toFixed(toNumber(value as number | Float), digits);
}

export type Align = '<' | '>' | '^' | '=';

/** Pads to a width in characters; "=" pads after the sign. */
export function pad(text: string, width: number, align: Align, fill = ' '): string {
  const missing = width - lengthOf(text);
  if (!(missing > 0)) return text;
  chargeText(width);
  switch (align) {
    case '<':
      return text + repeated(fill, missing);
    case '>':
      return repeated(fill, missing) + text;
    case '^': {
      const before = Math.floor(missing / 2);
      return repeated(fill, before) + text + repeated(fill, missing - before);
    }
    case '=': {
      const [, sign, rest] = /^([-+ ]?)([^]*)$/.exec(text)!;
      return sign! + repeated(fill, missing) + rest!;
    }
  }
}

const SPEC = /^(?:([^])?([<>=^]))?([-+ ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([^])?$/u;

/** Python's format(value, spec). */
export function formatSpec(value: Value, spec: string): string {
  if (spec === '') return print(value);
  const found = SPEC.exec(spec);
  if (!found) throw new TemplateError(`the format "${spec}" is wrong`);
  const [, fill, align, sign = '', sharp, zero, width = '0', comma, precision, type] = found;
  if (typeof value === 'boolean') return formatSpec(Number(value), spec);
  const isNumeric = isNumber(value);
  if (sharp || (!isNumeric && typeof value !== 'string'))
    throw unsupported(`the format "${spec}" of ${represent(value)}`);
  let text: string;
  if (typeof value === 'string') {
    if ((type ?? 's') !== 's' || sign || comma || align === '=')
      throw new TemplateError(`the format "${spec}" is not one of text`);
    text =
      precision === undefined ? value : charactersOf(value).slice(0, Number(precision)).join('');
  } else text = formatNumber(value, spec, sign, comma, precision, type);
  const fallback = isNumeric ? '>' : '<';
  const how = (align ?? (zero ? '=' : fallback)) as Align;
  if (how === '=' && typeof value === 'string') throw unsupported(`the format "${spec}" of text`);
  if (comma && zero && !align) throw unsupported(`the format "${spec}"`);
  return pad(text, Number(width), how, fill ?? (zero ? '0' : ' '));
}

function formatNumber(
  value: Value,
  spec: string,
  sign: string,
  comma: string | undefined,
  precision: string | undefined,
  type: string | undefined,
): string {
  const isWhole = isInteger(value);
  let text: string;
  if (isWhole && (type === undefined || type === 'd') && precision === undefined)
    text = String(value);
  else if (type === 'f' || type === 'F') text = fixed(value, Number(precision ?? 6));
  else if (!isWhole && type === undefined && precision === undefined) text = print(value);
  else throw unsupported(`the format "${spec}" of a number`);
  if (comma) {
    if (text.includes('e')) throw unsupported(`the format "${spec}" of a number`);
    text = text.replace(/^-?\d+/, (digits) => digits.replace(/\B(?=(\d{3})+$)/g, comma));
  }
  return sign !== '' && sign !== '-' && !text.startsWith('-') ? sign + text : text;
}
