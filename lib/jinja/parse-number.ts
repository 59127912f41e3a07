/** Reads numbers from text, as Python's int() and float() do. */
import { strip } from './characters.js';
import { unsupported } from './errors.js';
import { MAX_BITS, tooLong, truncate, whole } from './numbers.js';
import { Float, isInteger } from './values.js';
import type { Value } from './values.js';

const FLOAT =
  /^[-+]?(?:(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[-+]?\d+(?:_\d+)*)?|inf(?:inity)?|nan)$/i;
const PREFIXES: Record<number, string> = { 2: '0b', 8: '0o', 16: '0x' };

export function parseFloat(given: string): number | undefined {
  const text = trimmed(given);
  if (!FLOAT.test(text)) return undefined;
  const [, sign, rest] = /^([-+]?)(.*)$/.exec(text.toLowerCase().replaceAll('_', ''))!;
  const size = rest!.startsWith('inf') ? Infinity : rest === 'nan' ? NaN : Number(rest);
  return sign === '-' ? -size : size;
}

/** undefined if it is not a number. */
export function parseWhole(value: Value, base: number): Value | undefined {
  if (isInteger(value)) return typeof value === 'boolean' ? Number(value) : value;
  if (value instanceof Float) return Number.isNaN(value.value) ? undefined : truncate(value.value);
  if (typeof value !== 'string') return undefined;
  const digits = parseDigits(trimmed(value), base);
  if (digits !== undefined) return digits;
  const float = parseFloat(value);
  return float === undefined || !Number.isFinite(float) ? undefined : truncate(float);
}

function parseDigits(text: string, base: number): number | bigint | undefined {
  if (base !== 10 && PREFIXES[base] === undefined) throw unsupported(`int with the base ${base}`);
  const [, sign, rest] = /^([-+]?)([^]*)$/.exec(text.toLowerCase())!;
  const prefix = PREFIXES[base] ?? '';
  const digits =
    prefix !== '' && rest!.startsWith(prefix) ? rest!.slice(2).replace(/^_/, '') : rest!;
  const last = base <= 10 ? `[0-${base - 1}]` : '[0-9a-f]';
  if (!new RegExp(`^${last}+(?:_${last}+)*$`).test(digits)) return undefined;
  const plain = digits.replaceAll('_', '').replace(/^0+(?=.)/, '');
  if (plain.length > MAX_BITS) throw tooLong(); // certainly too large, and not worth parsing
  const size = BigInt(prefix + plain);
  return whole(sign === '-' ? -size : size);
}

function trimmed(given: string): string {
  const text = strip(given, undefined, 'both');
  if (/[^\0-\x7f]/.test(text) && /\p{Nd}/u.test(text))
    throw unsupported('a number in digits other than 0 to 9');
  return text;
}
