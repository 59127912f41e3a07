import { randomWeight } from '../fixtures/random-weight.js';
import { Random } from '../random.js';
import { WEIGHT_TYPES } from '../reference/dequantize.js';
import { rmsNorm } from '../reference/rms-norm.js';
import { devices, testing } from '../testing.js';
import { expectClose } from './close.js';

describe.each(devices)('rms_norm on $name', ({ path }) => {
  test.each([1, 15, 16, 48, 288, 2048])(
    'equals the reference at width %d, with and without a residual',
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
