import { randomWeight } from '../fixtures/random-weight.js';
import { Random } from '../random.js';
import { WEIGHT_TYPES } from '../reference/dequantize.js';
import { paths, testing } from '../testing.js';
import { describeLinear } from './linear-suite.js';

// One of each kind of product that a GPU has; linear.exhaustive.test.ts has all.
describeLinear(['F32', 'BF16', 'Q8_0', 'Q4_K', 'Q5_1'], [1, 9, 33]);

const both = paths.includes('avxvnni') ? test : test.skip;
both.each(
  WEIGHT_TYPES.filter(({ blockSize }) => blockSize > 1).map((type) => [type.name, type] as const),
)('%s: AVX2 with and without VNNI give the same bits', (_, type) => {
  const random = new Random(17);
  const [n, k, rows] = [40, 4 * Math.max(type.blockSize, 32), 9];
  const weight = randomWeight(type, n * k, random);
  const x = random.normals(rows * k);
  const [plain, vnni] = ['avx2', 'avxvnni'].map((path) =>
    testing.linear(path, 2, weight, type.type, n, k, x),
  );
  expect(vnni).toEqual(plain);
});
