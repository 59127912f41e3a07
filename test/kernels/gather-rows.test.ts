import { randomWeight } from '../fixtures/random-weight.js';
import { Random } from '../random.js';
import { WEIGHT_TYPES } from '../reference/dequantize.js';
import { gatherRows } from '../reference/gather-rows.js';
import { devices, testing } from '../testing.js';

describe.each(devices)('gather_rows on $name', ({ path, isCuda }) => {
  test.each(WEIGHT_TYPES.map((type) => [type.name, type] as const))(
    'reads rows of a table of %s, in any order, more than once',
    (_, type) => {
      const random = new Random(3);
      const [n, k] = [4, 2 * Math.max(type.blockSize, 32)];
      const table = randomWeight(type, n * k, random);
      const ids = Int32Array.of(3, 0, 3);
      const rows = testing.gatherRows(path, 1, table, type.type, n, k, ids);
      // A difference of two products (scale and minimum) rounds once for each; a GPU keeps F32 as two numbers of 16 bits.
      const relative = isCuda && type.name === 'F32' ? 1e-5 : 2e-7;
      const expected = gatherRows(type, table, ids, k);
      expect(rows).toHaveLength(expected.length);
      expected.forEach((value, i) =>
        expect(Math.abs(rows[i]! - value)).toBeLessThanOrEqual(
          relative * (Math.abs(value) + (type.blockSize > 1 ? 3 : 0)),
        ),
      );
    },
  );

  test('reads one row of one block', () => {
    const type = WEIGHT_TYPES.find(({ name }) => name === 'Q8_0')!;
    const table = randomWeight(type, 32, new Random(4));
    const ids = Int32Array.of(0);
    const row = testing.gatherRows(path, 2, table, type.type, 1, 32, ids);
    gatherRows(type, table, ids, 32).forEach((value, i) => expect(row[i]).toBeCloseTo(value, 5));
  });
});
