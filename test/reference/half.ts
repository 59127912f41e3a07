/** 16-bit floats in plain arithmetic. */

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
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(value))));
  const units = Math.round((Math.abs(value) / 2 ** exponent) * 1024); // 1024 and more are normal numbers
  const bits = units < 1024 ? units : ((exponent + 14) << 10) + units;
  return (value < 0 ? 0x8000 : 0) | bits;
}

/** Rounds to bf16 (nearest, ties to even) and back. */
export function roundBf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const rounded = ((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000) >>> 0;
  return new Float32Array(Uint32Array.of(rounded).buffer)[0]!;
}

/** To the nearest f16, ties to even; what is beyond its range becomes its limit. */
export function roundF16(value: number): number {
  if (!Number.isFinite(value)) return value;
  const size = Math.min(Math.abs(value), 65504);
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(size || 1))) - 10);
  const quotient = size / step;
  const floor = Math.floor(quotient);
  const up = quotient - floor > 0.5 || (quotient - floor === 0.5 && floor % 2 === 1);
  return Math.sign(value) * step * (floor + (up ? 1 : 0));
}
