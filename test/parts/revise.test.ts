/** How the content of a new version of a text is made of the old one. */
import { asParts, coveredOf, depthOf, lengthOf, plain } from '../../lib/layout/layout.js';
import type { Content } from '../../lib/layout/layout.js';
import { oldText, revised } from '../../lib/layout/revise.js';
import { Random } from '../random.js';

const random = new Random(2122);
const tokens = (n: number) => Array.from({ length: n }, () => random.below(5000));

const revise = (old: Content, now: readonly number[]) =>
  revised(oldText(old), Int32Array.from(now));

/** Its parts hold the tokens that they stand for, one after the other, and leave the last token. */
function check(content: Content): void {
  let done = 0;
  for (const part of content.parts) {
    const held = part.text.ids.slice(part.first, part.end);
    expect(part.position).toBe(content.base.end + done);
    expect([...held]).toEqual([...content.ids.subarray(done, done + held.length)]);
    expect(depthOf(part.text.below)).toBeLessThan(60);
    done += held.length;
  }
  expect(done).toBeLessThan(content.ids.length);
  expect(content.parts.length).toBeLessThanOrEqual(32);
}

test('no change: the old text, as it is', () => {
  const old = plain(Int32Array.from(tokens(100)));
  const next = revise(old, [...old.ids]);
  expect(next.parts).toHaveLength(1);
  expect(next.parts[0]!.text.ids).toEqual(old.ids);
  expect(next.parts[0]!.end).toBe(99);
});

test('an insertion that is deleted again: one part of the old text', () => {
  const text = tokens(300);
  const old = plain(Int32Array.from(text));
  const longer = revise(old, [...text.slice(0, 100), 6000, 6001, ...text.slice(100)]);
  expect(longer.parts).toHaveLength(3);
  check(longer);
  const again = revise(longer, text);
  expect(again.parts.map(({ text: { ids }, first, end }) => [ids.length, first, end])).toEqual([
    [300, 0, 299],
  ]);
});

test('only what is new is computed: after a change in the middle, the rest is moved', () => {
  const text = tokens(1000);
  const next = revise(plain(Int32Array.from(text)), [
    ...text.slice(0, 500),
    ...tokens(20),
    ...text.slice(510),
  ]);
  check(next);
  const [head, fresh, moved] = next.parts;
  expect([lengthOf(head!), lengthOf(fresh!), lengthOf(moved!)]).toEqual([500, 20, 489]);
  expect(fresh!.text.below.parts).toEqual([head]);
});

test('revisions of revisions, any number: the right tokens, few parts, no deep towers', () => {
  let text = tokens(1500);
  let content = plain(Int32Array.from(text));
  for (let i = 0; i < 200; i++) {
    for (let n = 1 + random.below(3); n > 0; n--) {
      const at = random.below(text.length);
      text = [
        ...text.slice(0, at),
        ...tokens(random.below(30)),
        ...text.slice(at + random.below(30)),
      ];
    }
    if (text.length < 200) text = [...text, ...tokens(1000)];
    content = revise(content, text);
    check(content);
  }
});

test('each change right of the one before, which is taken back: the tower is bounded', () => {
  const text = tokens(4000);
  let content = plain(Int32Array.from(text));
  for (let i = 0; i < 90; i++) {
    const at = 100 + i * 40;
    content = revise(content, [...text.slice(0, at), 9000 + i, ...text.slice(at)]);
    check(content);
  }
});

test('a text that has become another one is computed anew', () => {
  const old = plain(Int32Array.from(tokens(100)));
  const next = revise(old, tokens(120));
  expect(coveredOf(next)).toBeLessThan(32);
  expect(asParts(next).at(-1)!.end).toBeGreaterThan(80);
});
