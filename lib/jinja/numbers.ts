/** Python's arithmetic: whole numbers of any length, and floats. */
import { chargeItems } from './budget.js';
import { TemplateError, unsupported } from './errors.js';
import type { Operator } from './syntax.js';
import { Float } from './values.js';
import type { Value } from './values.js';

type Integer = number | bigint | boolean;
export type Numeric = Integer | Float;

/** No template counts further, and no number may take unlimited memory. */
export const MAX_BITS = 1024;
/** The cost of such a number at most, as items of a list. */
const LONG = MAX_BITS / 64;

export function add(left: Numeric, right: Numeric): Value {
  if (typeof left === 'number' && typeof right === 'number') {
    const sum = left + right;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return calculate('+', left, right);
}

export function calculate(operator: Operator, left: Numeric, right: Numeric): Value {
  const divides = operator === '/' || operator === '//' || operator === '%';
  if (divides && toNumber(right) === 0) throw new TemplateError('division by zero');
  const isWhole = !(left instanceof Float) && !(right instanceof Float);
  if (isWhole && operator !== '/') {
    if (operator !== '**') return calculateWhole(operator, BigInt(left), BigInt(right));
    if (Number(right) >= 0) return power(BigInt(left), BigInt(right));
  }
  if (isWhole && operator === '/' && [left, right].some((one) => typeof one === 'bigint'))
    return new Float(divide(BigInt(left), BigInt(right)));
  return new Float(calculateFloat(operator, toNumber(left), toNumber(right)));
}

function calculateWhole(operator: Operator, left: bigint, right: bigint): number | bigint {
  switch (operator) {
    case '+':
      return whole(left + right);
    case '-':
      return whole(left - right);
    case '*':
      return whole(left * right);
    case '//':
      return whole((left - modulo(left, right)) / right);
    default:
      return whole(modulo(left, right));
  }
}

/** With the sign of `right`, as in Python. */
function modulo(left: bigint, right: bigint): bigint {
  const rest = left % right;
  return rest !== 0n && rest < 0n !== right < 0n ? rest + right : rest;
}

function power(base: bigint, exponent: bigint): number | bigint {
  if (base === 0n || base === 1n || base === -1n)
    return whole(exponent === 0n ? 1n : base ** (2n - (exponent % 2n)));
  if (bitsOf(base) * Number(exponent) > 2 * MAX_BITS) throw tooLong();
  return whole(base ** exponent);
}

const bitsOf = (value: bigint) => value.toString(2).length;

/** The quotient of two whole numbers: rounded once. */
function divide(left: bigint, right: bigint): number {
  if (left === 0n) return 0 / Number(right);
  if (left < 0n) return -divide(-left, right);
  if (right < 0n) return -divide(left, -right);
  // Enough bits that the rest of the quotient can only decide a tie.
  const shift = bitsOf(right) - bitsOf(left) + 66;
  if (shift > 1000) throw unsupported('a quotient of nearly nothing');
  const [above, below] =
    shift > 0 ? [left << BigInt(shift), right] : [left, right << BigInt(-shift)];
  let quotient = above / below;
  if (above % below !== 0n) quotient |= 1n;
  return Number(quotient) * 2 ** -shift;
}

export function whole(value: bigint): number | bigint {
  const small = Number(value);
  if (Number.isSafeInteger(small)) return small;
  if (BigInt.asIntN(MAX_BITS, value) !== value) throw tooLong();
  chargeItems(LONG);
  return value;
}

export function tooLong(): TemplateError {
  return unsupported(`a whole number of more than ${MAX_BITS} bits`);
}

function calculateFloat(operator: Operator, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '//':
      return Math.floor((left - floatModulo(left, right)) / right + 0.5);
    case '%':
      return floatModulo(left, right);
    case '**':
      return floatPower(left, right);
  }
}

/** Only if the result is exact: JavaScript's last digit is not always Python's. */
function floatPower(base: number, exponent: number): number {
  if (base === 0 && exponent < 0)
    throw new TemplateError('0.0 cannot be raised to a negative power');
  const size = Math.abs(base) ** Math.abs(exponent);
  const isWhole = Number.isInteger(base) && Number.isInteger(exponent) && size <= 2 ** 53;
  if (!isWhole || (exponent < 0 && !Number.isInteger(Math.log2(size))))
    throw unsupported(`${base} ** ${exponent}`);
  return base ** exponent;
}

function floatModulo(left: number, right: number): number {
  const rest = left % right;
  if (rest !== 0) return rest < 0 !== right < 0 ? rest + right : rest;
  return Object.is(right, -0) || right < 0 ? -0 : 0;
}

export function toNumber(value: Numeric): number {
  return value instanceof Float ? value.value : Number(value);
}

export function negate(value: Numeric): Value {
  if (value instanceof Float) return new Float(-value.value);
  return typeof value === 'bigint' ? whole(-value) : 0 - Number(value);
}

/** A float with so many digits after the point, ties to the even digit; exact, because every float is a fraction of a power of two. */
export function toFixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  let [mantissa, exponent] = [Math.abs(value), 0];
  while (!Number.isInteger(mantissa)) [mantissa, exponent] = [mantissa * 2, exponent + 1];
  const [numerator, denominator] = [
    BigInt(mantissa) * 10n ** BigInt(digits),
    1n << BigInt(exponent),
  ];
  const doubled = (numerator % denominator) * 2n;
  let scaled = numerator / denominator;
  if (doubled > denominator || (doubled === denominator && scaled % 2n === 1n)) scaled++;
  const text = String(scaled).padStart(digits + 1, '0');
  const at = text.length - digits;
  return sign + text.slice(0, at) + (digits > 0 ? `.${text.slice(at)}` : '');
}

/** Python's round(). */
export function round(value: Numeric, digits: number): Value {
  if (!(value instanceof Float)) {
    if (digits >= 0) return value === true ? 1 : value === false ? 0 : value;
    throw unsupported('rounding to tens');
  }
  if (digits < 0) throw unsupported('rounding to tens');
  if (!Number.isFinite(value.value) || digits > 340) return value;
  return new Float(Number(toFixed(value.value, digits)));
}

/** Python's int() of a float. */
export function truncate(value: number): number | bigint {
  if (!Number.isFinite(value)) throw new TemplateError('cannot convert float to integer');
  return whole(BigInt(Math.trunc(value)));
}
