import fc from 'fast-check';

import { testing } from '../testing.js';

const TILE = 32;
const SPAN_TILES = 8;
const GROUP_TILES = 128;

const sequence = fc.record({
  rows: fc.integer({ min: 1, max: 200 }),
  position: fc.integer({ min: 0, max: 10_000 }),
});
const options = fc.record({
  headsPerKvHead: fc.constantFrom(1, 3, 8, 64, 128),
  kvHeads: fc.constantFrom(1, 4),
  parallelism: fc.constantFrom(1, 2, 64),
  window: fc.constantFrom(0, 1, 31, 256, 1000, 5000),
});

test('a plan covers every (row, key in its window) exactly once, in items that begin and end at spans of one group', () => {
  fc.assert(
    fc.property(fc.array(sequence, { minLength: 1, maxLength: 6 }), options, (sequences, how) => {
      const { items, merges } = testing.plan(sequences, how);
      const begin = (end: number) => (how.window === 0 ? 0 : Math.max(0, end - how.window));
      const wanted = sequences.flatMap(({ rows, position }) =>
        Array.from({ length: rows }, (_, i) => position + i + 1),
      );
      expect(merges).toHaveLength(wanted.length);
      const pieces = wanted.map(() => [] as { from: number; to: number; partial: number }[]);
      for (const item of items) {
        expect(item.firstTile % SPAN_TILES).toBe(0);
        expect(Math.floor(item.firstTile / GROUP_TILES)).toBe(
          Math.floor((item.endTile - 1) / GROUP_TILES),
        );
        for (const { row, firstKey, endKey, partial } of item.rows) {
          expect([firstKey, endKey]).toEqual([begin(wanted[row]!), wanted[row]]);
          pieces[row]!.push({
            from: Math.max(item.firstTile * TILE, firstKey),
            to: Math.min(item.endTile * TILE, endKey),
            partial,
          });
        }
      }
      pieces.forEach((list, row) => {
        let covered = begin(wanted[row]!);
        list.forEach(({ from, to, partial }, i) => {
          expect(from).toBe(covered);
          expect(to).toBeGreaterThan(from);
          covered = to;
          expect(merges[row]![i]).toEqual({
            partial,
            group: Math.floor(from / (GROUP_TILES * TILE)),
          });
        });
        expect(covered).toBe(wanted[row]);
        expect(merges[row]).toHaveLength(list.length);
      });
      const partials = items.flatMap((item) => item.rows.map(({ partial }) => partial));
      expect(new Set(partials).size).toBe(partials.length);
    }),
    { numRuns: 60 },
  );
});
