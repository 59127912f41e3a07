import { Random } from '../random.js';
import { checkFinite } from '../reference/check-finite.js';
import { devices, testing } from '../testing.js';

describe.each(devices)('check_finite on $name', ({ path }) => {
  test.each([1, 31, 300])(
    'tells the rows of x + delta that hold a NaN or an infinity, %d numbers in each',
    (width) => {
      const [x, delta] = [new Random(3).normals(5 * width), new Random(4).normals(5 * width)];
      x[width] = NaN;
      delta[3 * width - 1] = Infinity;
      x[5 * width - 1] = 3e38; // finite each, but not together
      delta[5 * width - 1] = 3e38;
      const found = [...testing.checkFinite(path, 2, x, delta, width)];
      expect(found).toEqual([1, 0, 0, 1, 0]);
      expect(found).toEqual(checkFinite(x, delta, width));
    },
  );
});
