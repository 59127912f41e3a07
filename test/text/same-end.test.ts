/** The common end of two lists of ids, by text. */
import { sameEnd } from '../../lib/text/same-end.js';
import { Random } from '../random.js';

const PIECES = ['a', 'b', 'ab', 'ba', 'aab', '\u00e9', 'aba'].map((text) => Buffer.from(text));
const SPECIAL = PIECES.length; // an id whose text is that of another
const table = {
  bytes: (id: number) => PIECES[id] ?? Buffer.from('ab'),
  isSpecial: (id: number) => id === SPECIAL,
};
const textOf = (ids: Int32Array) =>
  Buffer.concat(
    [...ids].map((id) => (id === SPECIAL ? Buffer.from('<>') : table.bytes(id))),
  ).toString('latin1');

test('the ends have the same text, and no longer ones that begin with a token in both have', () => {
  const random = new Random(2124);
  let nDifferent = 0;
  for (let i = 0; i < 4000; i++) {
    const list = () =>
      Int32Array.from({ length: random.below(9) }, () => random.below(SPECIAL + 1));
    const [a, b] = [list(), list()];
    const { first, second } = sameEnd(table, a, b);
    const ends = (m: number, n: number) =>
      textOf(a.subarray(a.length - m)) === textOf(b.subarray(b.length - n));
    expect(ends(first, second)).toBe(true);
    if (first !== second) nDifferent++;
    for (let m = first + 1; m <= a.length; m++)
      for (let n = second + 1; n <= b.length; n++) expect(ends(m, n)).toBe(false);
  }
  expect(nDifferent).toBeGreaterThan(50);
});
