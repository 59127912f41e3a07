import { failAllocations, testOfAllocations } from './failing-allocations.js';

testOfAllocations.each(['once', 'for-ever'] as const)(
  'hundreds of allocations fail in turn, %s',
  async (mode) => {
    const { total, load, engine, request, nothing } = await failAllocations(400, mode);
    expect(total).toBeGreaterThan(1000);
    // As far as strides of a whole number of allocations go.
    expect(load + engine + request + nothing).toBeGreaterThanOrEqual(200);
  },
);
