/** y = x W^T in float64. */
import { roundBf16, roundF16 } from './half.js';

const { abs, fround, max, round } = Math; // looking up a global costs much under jest

/** What a backend does to x before it multiplies. */
export type RowPrecision = 'exact' | 'bf16' | 'f16' | 'int8';

export interface LinearResult {
  y: Float64Array; // [R, N]
  /** sum |w x| of each output: what rounding errors are measured against. */
  magnitude: Float64Array; // [R, N]
}

export function linear(
  weight: Float64Array,
  k: number,
  x: Float32Array,
  precision: RowPrecision,
): LinearResult {
  const n = weight.length / k;
  const rows = x.length / k;
  const rounded = roundRows(x, precision);
  const y = new Float64Array(rows * n);
  const magnitude = new Float64Array(rows * n);
  for (let row = 0; row < rows; row++) {
    for (let output = 0; output < n; output++) {
      let sum = 0;
      let size = 0;
      for (let i = 0; i < k; i++) {
        const product = weight[output * k + i]! * rounded[row * k + i]!;
        sum += product;
        size += abs(product);
      }
      y[row * n + output] = sum;
      magnitude[row * n + output] = size;
    }
  }
  return { y, magnitude };
}

/** x as a backend's dot products see it. */
export function roundRows(x: Float32Array, precision: RowPrecision): Float64Array {
  if (precision === 'exact') return Float64Array.from(x);
  if (precision === 'bf16') return Float64Array.from(x, roundBf16);
  if (precision === 'f16') return Float64Array.from(x, roundF16);
  const out = new Float64Array(x.length);
  for (let block = 0; block < x.length; block += 32) {
    const values = x.subarray(block, block + 32);
    const largest = max(...Array.from(values, abs));
    const inverse = fround(127 / largest);
    for (let i = 0; i < 32; i++) {
      const code = largest === 0 ? 0 : roundToEven(fround(values[i]! * inverse));
      out[block + i] = code * fround(largest / 127);
    }
  }
  return out;
}

function roundToEven(value: number): number {
  const rounded = round(value);
  return abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
