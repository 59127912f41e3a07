/** How answers are judged, and how sure a share is. */
import { found, wilson } from '../../lib/quality/metrics.js';
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
