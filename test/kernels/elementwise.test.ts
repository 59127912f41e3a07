import { randomWeight } from '../fixtures/random-weight.js';
import { Random } from '../random.js';
import { WEIGHT_TYPES } from '../reference/dequantize.js';
import { rmsNorm } from '../reference/rms-norm.js';
import { siluMul } from '../reference/silu-mul.js';
import { devices, testing } from '../testing.js';

function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  relative: number,
): void {
  for (let i = 0; i < expected.length; i++) {
    expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThanOrEqual(
      relative * Math.abs(expected[i]!) + 1e-30,
    );
  }
}

describe.each(devices)('on $name', ({ path }) => {
  test.each([1, 15, 16, 48, 288, 2048])(
    'rms_norm of width %d equals the reference, with and without a residual',
    (width) => {
      const random = new Random(width);
      const x = random.normals(3 * width);
      const delta = random.normals(3 * width);
      const weight = random.normals(width);
      const plain = testing.rmsNorm(path, 2, x, null, weight, 1e-5);
      expect(plain.x).toEqual(x);
      expectClose(plain.out, rmsNorm(x, weight, 1e-5), 2e-6);
      const sum = x.map((value, i) => value + delta[i]!);
      const added = testing.rmsNorm(path, 2, x, delta, weight, 1e-5);
      expect(added.x).toEqual(sum);
      expectClose(added.out, rmsNorm(sum, weight, 1e-5), 2e-6);
    },
  );

  test('silu_mul equals the reference from -100 to 100, odd lengths included', () => {
    const gate = Float32Array.from({ length: 2001 }, (_, i) => (i - 1000) / 10);
    const up = new Random(1).normals(2001);
    const out = testing.siluMul(path, 2, gate, up);
    const expected = siluMul(gate, up);
    // The exponent -gate log2(e) rounds in f32, which costs gate's size in ulp; below e^-87 ours may be zero.
    out.forEach((value, i) => {
      const relative = 5e-7 + 1.2e-7 * Math.abs(gate[i]!);
      expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(
        relative * Math.abs(expected[i]!) + 1e-33,
      );
    });
  });

  test('silu_mul passes a NaN on', () => {
    expect(testing.siluMul(path, 1, Float32Array.of(NaN, 1), Float32Array.of(1, 1))[0]).toBeNaN();
  });

  test('select_rows takes rows in any order, more than once', () => {
    const x = new Random(2).normals(5 * 33);
    const rows = Int32Array.of(4, 0, 4);
    const expected = [...rows].flatMap((row) => [...x.subarray(33 * row, 33 * row + 33)]);
    expect([...testing.selectRows(path, 1, x, rows, 33)]).toEqual(expected);
  });

  test('check_finite tells the rows of x + delta that hold a NaN or an infinity', () => {
    const [x, delta] = [new Random(3).normals(5 * 300), new Random(4).normals(5 * 300)];
    x[300] = NaN;
    delta[2 * 300 + 299] = Infinity;
    x[4 * 300 + 7] = 3e38;
    delta[4 * 300 + 7] = 3e38;
    expect([...testing.checkFinite(path, 1, x, delta, 300)]).toEqual([1, 0, 0, 1, 0]);
  });

  // Between them the one leaves the other its input as it likes it best.
  test.each(WEIGHT_TYPES.map((type) => [type.name, type] as const))(
    'a norm before a linear of %s gives the bits of the two apart',
    (_, type) => {
      const random = new Random(5);
      const [n, k] = [40, 2 * Math.max(type.blockSize, 48)];
      const weight = randomWeight(type, n * k, random);
      const [x, norm] = [random.normals(9 * k), random.normals(k)];
      const together = testing.normThenLinear(path, 1, weight, type.type, n, k, x, norm);
      const normed = testing.rmsNorm(path, 1, x, null, norm, 1e-5).out;
      expect(together).toEqual(testing.linear(path, 1, weight, type.type, n, k, normed));
    },
  );
});
