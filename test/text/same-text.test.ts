/** How far two cuts of texts say the same: against plain strings, and with much to read. */
import { sameText } from '../../lib/text/same-text.js';
import { Random } from '../random.js';

const TEXTS = ['', 'a', 'b', 'ab', 'ba', 'aab', 'é', 'aé', '-', '--', '----------------'];
const SPECIAL = TEXTS.length;
const BYTES = [
  ...TEXTS.map((text) => Buffer.from(text)),
  Buffer.alloc(0),
  Buffer.from([0xc3]),
  Buffer.from([0xa9]),
];
const table = { bytes: (id: number) => BYTES[id]!, isSpecial: (id: number) => id === SPECIAL };

/** Text with a sign for special tokens, where it is whole after so many tokens. */
function readAt(ids: Int32Array, n: number): string | undefined {
  const parts = Array.from(ids.subarray(0, n), (id) =>
    id === SPECIAL ? Buffer.from('\u0000') : BYTES[id]!,
  );
  const bytes = Buffer.concat(parts);
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? text : undefined;
}

test('the place is the last where both say the same', () => {
  const random = new Random(3);
  for (let round = 0; round < 5000; round++) {
    const draw = () =>
      Int32Array.from({ length: random.below(7) }, () => random.below(BYTES.length));
    const first = draw();
    const second =
      random.below(3) === 0 ? Int32Array.from([...first.subarray(0, 3), ...draw()]) : draw();
    const place = sameText(table, first, second);
    expect(first.subarray(0, place.first).every((id) => id < BYTES.length)).toBe(true);
    const said = [readAt(first, place.first), readAt(second, place.second)];
    if (said[0] !== undefined && said[1] !== undefined) expect(said[0]).toBe(said[1]);
    // Where texts are whole everywhere, no later place is missed.
    if ([...first, ...second].some((id) => id > SPECIAL || id === 0)) continue;
    let best = 0;
    for (let i = 0; i <= first.length; i++)
      for (let j = 0; j <= second.length; j++)
        if (readAt(first, i) === readAt(second, j)) best = Math.max(best, readAt(first, i)!.length);
    expect(said[0]).toHaveLength(best);
  }
});

test('each token is read once, however long the texts differ in their cuts', () => {
  let reads = 0;
  const counting = { ...table, bytes: (id: number) => (reads++, BYTES[id]!) };
  const long = TEXTS.indexOf('----------------');
  const first = Int32Array.from({ length: 20_000 }, () => long);
  const second = Int32Array.from([TEXTS.indexOf('-'), ...first]);
  expect(sameText(counting, first, second)).toEqual({ first: 0, second: 0 });
  expect(reads).toBeLessThan(50_000);
});
