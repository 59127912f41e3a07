import { failAllocations, testOfAllocations } from './failing-allocations.js';

testOfAllocations.each(['once', 'for-ever'] as const)(
  'every single allocation may fail, %s',
  async (mode) => {
    const { total, load, engine, request, nothing } = await failAllocations(Infinity, mode);
    expect(load + engine + request + nothing).toBe(total);
  },
  1_800_000, // thousands of engines
);
