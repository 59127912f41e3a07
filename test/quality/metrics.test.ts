/** How answers are judged, and how sure a share is. */
import { clusteredInterval, found, pairedDifference, wilson } from '../../lib/quality/metrics.js';
import { JUDGES } from '../../lib/quality/tasks/judges.js';

test.each([
  ['The gift is the Guitar!', ['guitar'], 1],
  ['guitars', ['guitar'], 0],
  ['a VAR abc, def', ['ABC', 'DEF', 'GHI'], 2],
  ['12345', ['2345'], 0],
  ['', ['x'], 0],
  ['the old  mill', ['old mill'], 1],
])('found(%j, %j) is %i', (text, wanted, n) => {
  expect(found(text, wanted)).toBe(n);
});

// By R: binom::binom.confint(x, n, methods = "wilson").
test.each([
  [8, 10, 0.4901625, 0.9433178],
  [0, 20, 0, 0.1611252],
  [20, 20, 0.8388748, 1],
  [50, 100, 0.4038315, 0.5961685],
])('the Wilson interval of %i in %i', (right, n, low, high) => {
  const interval = wilson(right, n);
  expect(interval.low).toBeCloseTo(low, 6);
  expect(interval.high).toBeCloseTo(high, 6);
});

test('of nothing, everything is possible', () => {
  expect(wilson(0, 0)).toEqual({ low: 0, high: 1 });
});

describe('questions about one context', () => {
  const many = <T>(n: number, make: (i: number) => T) =>
    Array.from({ length: n }, (_, i) => make(i));

  test('count one by one where they are independent', () => {
    const clusters = many(400, (i) => ({ right: i % 2, of: 1 }));
    const { low, high } = clusteredInterval(clusters);
    expect(low).toBeCloseTo(wilson(200, 400).low, 3);
    expect(high).toBeCloseTo(wilson(200, 400).high, 3);
  });

  test('count as one where they stand and fall together', () => {
    const clusters = many(40, (i) => ({ right: i % 2 === 0 ? 10 : 0, of: 10 }));
    const { low, high } = clusteredInterval(clusters);
    expect(low).toBeCloseTo(wilson(20, 40).low, 2);
    expect(high).toBeCloseTo(wilson(20, 40).high, 2);
    expect(clusteredInterval([{ right: 5, of: 5 }])).toEqual(wilson(1, 1));
    expect(clusteredInterval([])).toEqual({ low: 0, high: 1 });
  });

  test('a difference is that of the shares, with an interval by contexts', () => {
    const pairs = many(10, (i) => ({ right: i % 5 === 0 ? 1 : 3, other: 3, of: 3 }));
    const { points, margin } = pairedDifference(pairs);
    expect(points).toBeCloseTo((-100 * 4) / 30, 10);
    // By hand: residuals of -2 + 0.4 twice and 0.4 eight times; t(9) = 2.262.
    const between = 2 * 1.6 ** 2 + 8 * 0.4 ** 2;
    expect(margin).toBeCloseTo((100 * 2.262 * Math.sqrt((10 / 9) * between)) / 30, 1);
  });

  test('no difference in few contexts is no proof', () => {
    const same = (n: number) => pairedDifference(many(n, () => ({ right: 1, other: 1, of: 1 })));
    expect(same(1)).toEqual({ points: 0, margin: 95 });
    expect(same(6).margin).toBeCloseTo(39.3, 1);
    expect(same(300).margin).toBeLessThan(1);
    expect(pairedDifference([])).toEqual({ points: 0, margin: 100 });
  });
});

const wanted = (answers: string[], classes: string[] = []) => ({ answers, classes });

test.each([
  ['all', 'It is 12 and 34.', wanted(['12', '34', '56']), 2 / 3],
  ['part', 'It is 12.', wanted(['12', '34']), 1],
  ['part', 'It is 13.', wanted(['12', '34']), 0],
  ['f1', 'The cat sat.', wanted(['a cat', 'the dog']), 2 / 3],
  ['f1', 'nothing', wanted(['cat']), 0],
  ['f1', 'cat cat', wanted(['cat']), 2 / 3],
  ['rouge', 'a b c d', wanted(['a x c']), 4 / 7],
  ['classification', 'Type: Date', wanted(['Date'], ['Date', 'City']), 1],
  ['classification', 'Date or City', wanted(['Date'], ['Date', 'City']), 0.5],
  ['classification', 'City', wanted(['Date'], ['Date', 'City']), 0],
  ['classification', 'Food place', wanted(['Food place'], ['Food', 'Food place']), 1],
  ['retrieval', 'Paragraph 7, or 8', wanted(['Paragraph 7']), 0.5],
  ['count', 'There are 5.', wanted(['5']), 1],
  ['count', 'many', wanted(['5']), 0],
  ['similarity', '# note\nabcd', wanted(['abxd']), 6 / 8],
] as const)('%s of %j', (name, text, given, score) => {
  expect(JUDGES[name](text, given)).toBeCloseTo(score, 12);
});
