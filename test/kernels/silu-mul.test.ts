import { Random } from '../random.js';
import { siluMul } from '../reference/silu-mul.js';
import { devices, testing } from '../testing.js';

describe.each(devices)('silu_mul on $name', ({ path }) => {
  test('equals the reference from -100 to 100, odd lengths included', () => {
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

  test('passes a NaN on', () => {
    expect(testing.siluMul(path, 1, Float32Array.of(NaN, 1), Float32Array.of(1, 1))[0]).toBeNaN();
  });

  test.each([1, 17])('takes %d numbers', (n) => {
    const up = new Random(n).normals(n);
    const out = testing.siluMul(path, 1, up, up);
    expect([...out]).toEqual([...testing.siluMul(path, 2, up, up)]);
    siluMul(up, up).forEach((value, i) => expect(out[i]).toBeCloseTo(value, 5));
  });
});
