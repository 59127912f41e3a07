import { describeAttention } from './attention-suite.js';

describeAttention({
  lengths: [
    [1, 1],
    [7, 7],
    [32, 1],
    [33, 5],
    [257, 3],
    [600, 40],
  ],
  // One key; inside a tile; across tiles; across spans; longer than the context.
  windows: [1, 5, 40, 300, 1000],
  heads: {
    cpu: [
      [4, 2, 16],
      [3, 3, 48],
      [8, 1, 10],
    ],
    // Head sizes of each kernel, and between.
    cuda: [
      [4, 2, 16],
      [3, 3, 48],
      [8, 1, 64],
      [2, 1, 128],
      [2, 1, 192],
    ],
  },
  cuts: [1, 2, 16, 1000].flatMap((parallelism) =>
    [1, 2, 3].map((threads) => [parallelism, threads] as const),
  ),
  trees: { fast: 12, slow: 4 },
  // 16 and 32 queries fill registers of the kernel for many; 9, 10, 26 and 27 lie at its limits.
  queries: [1, 9, 10, 15, 16, 17, 26, 27, 31, 32, 33, 63, 64, 100],
});
