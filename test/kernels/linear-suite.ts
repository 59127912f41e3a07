/** The properties of matrix products, for every weight type on every device. */
import { randomWeight } from '../fixtures/random-weight.js';
import { Random } from '../random.js';
import { WEIGHT_TYPES, dequantize } from '../reference/dequantize.js';
import type { WeightType } from '../reference/dequantize.js';
import { linear } from '../reference/linear.js';
import type { RowPrecision } from '../reference/linear.js';
import { devices, testing } from '../testing.js';

function precisionOf(type: WeightType, path: string): RowPrecision {
  if (type.blockSize > 1) return 'int8';
  if (path.startsWith('cuda') && type.name !== 'F32') return type.name === 'F16' ? 'f16' : 'bf16';
  return type.name === 'BF16' && path === 'avx512' ? 'bf16' : 'exact';
}

// Float sums: an error of a few ulp of the magnitude, growing slowly with K.
const relativeOf = (type: WeightType, isCuda: boolean) =>
  // On a GPU both factors are taken apart into two bf16 numbers, and the product of the lesser ones is left out.
  isCuda && type.name === 'F32' ? 3e-5 : 3e-6;

const isSlow = ({ path, isCuda }: (typeof devices)[number]) => isCuda || path === 'portable';

const COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 48];

/** On the emulated GPU and on the portable path, where a product takes a while, `slow` names the types; `counts` says how many rows come first. */
export function describeLinear(slow: readonly string[], counts: readonly number[] = COUNTS): void {
  describe.each(devices)('linear on $name', (device) => {
    const types = WEIGHT_TYPES.filter(({ name }) => !isSlow(device) || slow.includes(name));
    describe.each(types.map((type) => [type.name, type] as const))('%s', (_, type) =>
      describeType(type, device, device.isCuda ? counts : COUNTS),
    );
  });
}

function describeType(
  type: WeightType,
  { path, isCuda }: (typeof devices)[number],
  counts: readonly number[],
): void {
  const relative = relativeOf(type, isCuda);
  // K: one block, an odd number of blocks; for floats also a tail. N: 1, a panel, past a panel.
  const block = Math.max(type.blockSize, 32);
  const shapes = [
    [1, block, 1],
    [16, 3 * block, 2],
    [37, 5 * block, 13],
    ...(type.blockSize === 1 ? [[5, 45, 3]] : []),
  ] as [number, number, number][];

  test.each(shapes)('equals the float64 product for N %d, K %d, R %d', (n, k, rows) => {
    const random = new Random(n * 1000 + k + rows);
    const weight = randomWeight(type, n * k, random);
    const x = random.normals(rows * k);
    const expected = linear(dequantize(type, weight), k, x, precisionOf(type, path));
    const y = testing.linear(path, 2, weight, type.type, n, k, x);
    y.forEach((value, i) => {
      expect(Math.abs(value - expected.y[i]!)).toBeLessThanOrEqual(
        relative * expected.magnitude[i]! + 1e-30,
      );
    });
  });

  test('adds a bias after the product', () => {
    const random = new Random(8);
    const [n, k, rows] = [37, 2 * block, 5];
    const weight = randomWeight(type, n * k, random);
    const [x, bias] = [random.normals(rows * k), random.normals(n)];
    const plain = testing.linear(path, 1, weight, type.type, n, k, x);
    const biased = testing.linear(path, 2, weight, type.type, n, k, x, bias);
    expect(biased).toEqual(plain.map((value, i) => Math.fround(value + bias[i % n]!)));
  });

  test('gives a row the same bits alone, among others, and with any number of threads', () => {
    const random = new Random(7);
    const [n, k, rows] = [50, 4 * block, 21];
    const weight = randomWeight(type, n * k, random);
    const x = random.normals(rows * k);
    const together = testing.linear(path, 1, weight, type.type, n, k, x);
    expect(testing.linear(path, 3, weight, type.type, n, k, x)).toEqual(together);
    for (let row = 0; row < rows; row++) {
      const alone = testing.linear(
        path,
        1,
        weight,
        type.type,
        n,
        k,
        x.slice(row * k, (row + 1) * k),
      );
      expect(alone).toEqual(together.slice(row * n, (row + 1) * n));
    }
  });

  // A power of two changes no bit but the exponent's, as long as a block's largest value is above kLeastLargest.
  if (type.blockSize > 1) {
    test('multiplies tiny rows as it does others', () => {
      const random = new Random(9);
      const [n, k, rows] = [37, 2 * block, 3];
      const weight = randomWeight(type, n * k, random);
      const x = random.normals(rows * k);
      const [plain, tiny] = [x, x.map((value) => value * 2 ** -110)].map((some) =>
        testing.linear(path, 1, weight, type.type, n, k, some),
      );
      expect(tiny).toEqual(plain!.map((value) => value * 2 ** -110));
    });
  }

  // Past every height of a tile, every chunk of K and block of outputs, and from few rows to many.
  test('gives the first rows the same bits whatever comes after them', () => {
    const random = new Random(11);
    const [n, k, rows] = [150, type.blockSize === 1 ? 2 * 2048 + 45 : 6 * block, 53];
    const weight = randomWeight(type, n * k, random);
    const x = random.normals(rows * k);
    const all = testing.linear(path, 2, weight, type.type, n, k, x);
    for (const count of counts) {
      const some = testing.linear(path, 2, weight, type.type, n, k, x.slice(0, count * k));
      expect(some).toEqual(all.slice(0, count * n));
    }
  });

  // Sums of products of bytes are largest here: nothing may saturate or wrap.
  const patterns: [string, (i: number) => number][] = [
    ['1', () => 1],
    ['-1', () => -1],
    ['1 and -1 in turn', (i) => (i % 2 === 0 ? 1 : -1)],
    ['1, 1, -1, -1', (i) => (i % 4 < 2 ? 1 : -1)],
  ];
  test.each([0x00, 0x7f, 0x80, 0xff])('multiplies codes of bytes %d', (byte) => {
    const [n, k] = [16, 2 * block];
    const sound = randomWeight(type, n * k, new Random(2));
    const weight = type.blockSize === 1 ? sound : new Uint8Array(sound.length).fill(byte);
    for (let at = 0; at < sound.length; at += type.blockBytes)
      for (const scale of type.scales)
        weight.set(sound.subarray(at + scale, at + scale + 2), at + scale);
    for (const [, value] of patterns) {
      const x = Float32Array.from({ length: 13 * k }, (_unused, i) => value(i));
      const expected = linear(dequantize(type, weight), k, x, precisionOf(type, path));
      const y = testing.linear(path, 1, weight, type.type, n, k, x);
      y.forEach((result, i) => {
        expect(Math.abs(result - expected.y[i]!)).toBeLessThanOrEqual(
          relative * expected.magnitude[i]! + 1e-30,
        );
      });
    }
  });

  test('keeps a NaN in its own row', () => {
    const random = new Random(5);
    const [n, k] = [20, 2 * block];
    const weight = randomWeight(type, n * k, random);
    const x = random.normals(3 * k);
    const clean = testing.linear(path, 1, weight, type.type, n, k, x);
    x[k + 5] = NaN;
    const y = testing.linear(path, 1, weight, type.type, n, k, x);
    expect(y.slice(0, n)).toEqual(clean.slice(0, n));
    expect(y.slice(n, 2 * n).every(Number.isNaN)).toBe(true);
    expect(y.slice(2 * n)).toEqual(clean.slice(2 * n));
  });
}
