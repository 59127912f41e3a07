/** 16-bit floats in plain arithmetic. */

const { abs, log2, max, min, round } = Math; // looking up a global costs much under jest

export function f16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0
    ? sign * fraction * 2 ** -24
    : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rounded to nearest; for numbers that f16 can hold. */
export function numberToF16(value: number): number {
  const exponent = max(-14, Math.floor(log2(abs(value))));
  const units = round((abs(value) / 2 ** exponent) * 1024); // 1024 and more are normal numbers
  const bits = units < 1024 ? units : ((exponent + 14) << 10) + units;
  return (value < 0 ? 0x8000 : 0) | bits;
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Rounds to bf16 (nearest, ties to even) and back. */
export function roundBf16(value: number): number {
  float[0] = value;
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000;
  return float[0];
}

/** To the nearest f16, ties to even; what is beyond its range becomes its limit. */
export function roundF16(value: number): number {
  if (!Number.isFinite(value)) return value;
  const size = min(abs(value), 65504);
  const step = 2 ** (max(-14, Math.floor(log2(size || 1))) - 10);
  const quotient = size / step;
  const floor = Math.floor(quotient);
  const up = quotient - floor > 0.5 || (quotient - floor === 0.5 && floor % 2 === 1);
  return Math.sign(value) * step * (floor + (up ? 1 : 0));
}
