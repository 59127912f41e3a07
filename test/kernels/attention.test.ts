/** A grid that meets every kernel once; attention.exhaustive.test.ts has the whole. */
import { expectAttention, seeded, shape } from './attention-cases.js';
import { paths, testing } from '../testing.js';
import { describeAttention } from './attention-suite.js';

describeAttention({
  // One token; a tile; past a tile; a span and one more; many queries.
  lengths: [
    [1, 1],
    [32, 1],
    [33, 5],
    [257, 3],
    [300, 40],
  ],
  windows: [1, 40, 300],
  heads: {
    cpu: [
      [4, 2, 16],
      [8, 1, 10],
    ],
    cuda: [
      [4, 2, 16],
      [8, 1, 64],
      [2, 1, 128],
    ],
  },
  cuts: [
    [1, 2],
    [16, 3],
    [1000, 2],
  ],
  trees: { fast: 4, slow: 1 },
  queries: [9, 16, 27, 33],
});

test('the comparison with float64 finds a tile that is left out, a group of spans that is, and keys in each other’s place', () => {
  const c = shape(4, 1, 16, { format: 'bf16' });
  const { one, wanted } = seeded(c, 4128, 2);
  // The device's own result where the keys of one group of 16 spans (4096 tokens) add nothing.
  const withoutGroup = (group: number) => {
    const v = one.v.slice();
    const end = 4096 * c.headDim;
    v.fill(0, group * end, group === 0 ? end : undefined);
    return testing.attention(paths[0]!, 1, c, [{ ...one, v }]);
  };
  const fails = (actual: ArrayLike<number>) =>
    expect(() => expectAttention(actual, wanted)).toThrow();
  expectAttention(wanted.out, wanted);
  fails(withoutGroup(1));
  fails(withoutGroup(0));
  fails(wanted.out.map((value) => value + wanted.leastFault));
  fails(wanted.out.map((value) => -value));
  fails(wanted.out.map(() => NaN));
  fails(wanted.out.slice(1));
  expect(() => expectAttention(wanted.out, { ...wanted, tolerance: 0.02 })).toThrow(); // too wide for this case
});
