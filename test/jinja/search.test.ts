import { countOf, indexOf, isQuick, lastIndexOf } from '../../lib/jinja/search.js';

describe('the search that can be stopped finds what the engine finds', () => {
  const unit = (n: number) => 'ab'.repeat(n);
  const texts: [name: string, text: string, wanted: string][] = [
    ['once', `${unit(8000)}c${unit(8000)}`, `${unit(3000)}c`],
    ['never', unit(16_000), `${unit(3000)}c`],
    ['often, one over another', unit(16_000), unit(3000)],
    ['at the ends', `c${unit(3000)}c${'x'.repeat(20_000)}c${unit(3000)}c`, `c${unit(3000)}c`],
    ['longer than the text', unit(6000), unit(7000)],
    ['after false beginnings', `${unit(2500)}aab`.repeat(5), `aab${unit(2500)}aa`],
  ];

  test.each(texts)('%s', (_, text, wanted) => {
    expect(isQuick(text, wanted)).toBe(false);
    expect(indexOf(text, wanted)).toBe(text.indexOf(wanted));
    expect(lastIndexOf(text, wanted)).toBe(text.lastIndexOf(wanted));
    for (const from of [0, 1, 5000, 6001, text.length - wanted.length, text.length]) {
      expect(indexOf(text, wanted, Math.max(0, from))).toBe(text.indexOf(wanted, from));
      if (from >= 0) expect(lastIndexOf(text, wanted, from)).toBe(text.lastIndexOf(wanted, from));
    }
    expect(countOf(text, wanted)).toBe(text.split(wanted).length - 1);
  });
});
