/** What two lists of tokens have in common. */
import { equalRuns } from '../../lib/layout/equal-runs.js';
import { Random } from '../random.js';

const random = new Random(2121);
const tokens = (n: number, kinds = 1000) => Array.from({ length: n }, () => random.below(kinds));

/** Some places of a text become others. */
function edited(text: readonly number[], n: number, most: number): number[] {
  const all = [...text];
  for (let i = 0; i < n; i++)
    all.splice(random.below(all.length + 1), random.below(most), ...tokens(random.below(most)));
  return all;
}

function runsOf(old: readonly number[], now: readonly number[]) {
  const runs = equalRuns(Int32Array.from(old), Int32Array.from(now));
  let [oldEnd, nowEnd] = [0, 0];
  for (const run of runs) {
    expect(run.length).toBeGreaterThan(0);
    expect(run.old).toBeGreaterThanOrEqual(oldEnd);
    expect(run.now).toBeGreaterThanOrEqual(nowEnd);
    expect(old.slice(run.old, run.old + run.length)).toEqual(
      now.slice(run.now, run.now + run.length),
    );
    [oldEnd, nowEnd] = [run.old + run.length, run.now + run.length];
  }
  expect(oldEnd).toBeLessThanOrEqual(old.length);
  expect(nowEnd).toBeLessThanOrEqual(now.length);
  return runs;
}

const lengthOf = (runs: ReturnType<typeof runsOf>) =>
  runs.reduce((sum, { length }) => sum + length, 0);

test('equal texts are one run; texts that share nothing are none; so is nothing', () => {
  const text = tokens(100);
  expect(runsOf(text, text)).toEqual([{ old: 0, now: 0, length: 100 }]);
  expect(
    runsOf(
      text,
      tokens(80).map((id) => id + 5000),
    ),
  ).toEqual([]);
  expect(runsOf([], text)).toEqual([]);
  expect(runsOf(text, [])).toEqual([]);
  expect(runsOf([], [])).toEqual([]);
});

test('one change anywhere: all before and after it, to the token', () => {
  const text = tokens(500);
  for (const at of [0, 1, 250, 499, 500]) {
    const now = [...text.slice(0, at), 7777, 7778, ...text.slice(at)];
    expect(lengthOf(runsOf(text, now))).toBe(500);
    expect(lengthOf(runsOf(now, text))).toBe(500);
  }
});

test.each([1, 3, 10, 30])('%d changes at once: nearly all of what is equal, in order', (n) => {
  for (let i = 0; i < 20; i++) {
    const text = tokens(3000);
    const now = edited(text, n, 20);
    expect(lengthOf(runsOf(text, now))).toBeGreaterThan(3000 - n * 20 - n * 60);
  }
});

test('texts of few different tokens: runs are equal, in order, and none overlaps another', () => {
  for (let i = 0; i < 200; i++) {
    const text = tokens(random.below(200), 1 + random.below(4));
    runsOf(text, edited(text, random.below(6), 30));
    runsOf(text, tokens(random.below(200), 3));
  }
});

test('texts that share little cost no more than a little time: they are not compared to the end', () => {
  const [old, now] = [tokens(200_000), tokens(200_000)];
  expect(lengthOf(runsOf(old, now))).toBeLessThan(1000);
});
