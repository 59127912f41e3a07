import { failAllocations, testOfAllocations } from './failing-allocations.js';

testOfAllocations.each(['once', 'for-ever'] as const)(
  'where an allocation fails, %s, requests or the load fail as out_of_memory, everything ends, and the process lives',
  async (mode) => {
    const { total, load, engine, request } = await failAllocations(30, mode);
    expect(total).toBeGreaterThan(500);
    expect(load).toBeGreaterThan(0);
    expect(engine + request).toBeGreaterThan(0);
  },
);
