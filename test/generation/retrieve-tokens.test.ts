/** The part of a prompt that its end asks for. */
import fc from 'fast-check';

import { retrieveTokens } from '../../lib/generation/retrieve-tokens.js';

test('a short text is kept whole', () => {
  const ids = Int32Array.from({ length: 100 }, (_, i) => i);
  expect(retrieveTokens(ids, 100)).toBe(ids);
});

test('the beginning, the end, and the piece that shares most with the end are kept, in their order', () => {
  const filler = (first: number, n: number) =>
    Array.from({ length: n }, (_, i) => first + (i % 50));
  const fact = [7, 8, 9, 7, 8, 9, 5, 5];
  const ids = Int32Array.from([
    ...[1, 2, 3, ...filler(1000, 200), ...fact, ...filler(1000, 300)],
    ...[...filler(2000, 13), 7, 8, 9],
  ]);
  const kept = retrieveTokens(ids, 64);
  expect(kept.length).toBeLessThanOrEqual(64);
  expect([...kept.slice(0, 3)]).toEqual([1, 2, 3]);
  expect([...kept.slice(-3)]).toEqual([7, 8, 9]);
  expect(kept.filter((id) => id === 5)).toHaveLength(2);
});

test('rare words count for more than frequent ones', () => {
  const common = Array.from({ length: 400 }, (_, i) => 10 + (i % 4));
  const ids = Int32Array.from([...common, 99, ...common.slice(0, 43), 10, 11, 12, 13, 99]);
  expect(retrieveTokens(ids, 32).filter((id) => id === 99).length).toBe(2);
});

test('any text is shortened to no more than is asked, in its order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(20), { minLength: 1, maxLength: 500 }),
      fc.integer({ min: 8, max: 300 }),
      (list, most) => {
        const ids = Int32Array.from(list);
        const kept = [...retrieveTokens(ids, most)];
        expect(kept.length).toBeLessThanOrEqual(most);
        expect(kept.length).toBeGreaterThan(Math.min(ids.length, most) / 3);
        let at = -1;
        for (const id of kept) expect((at = list.indexOf(id, at + 1))).toBeGreaterThanOrEqual(0);
      },
    ),
  );
});
