import fc from 'fast-check';

import { Detokenizer } from '../../lib/text/detokenizer.js';
import { StopStrings } from '../../lib/text/stop-strings.js';

const encoder = new TextEncoder();
const awkward = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('👩‍👩‍👧', 'é', '日本語', '\u0000', '\ufeffx'),
);

test('text cut into bytes anywhere comes back whole, and never half a character', () => {
  fc.assert(
    fc.property(awkward, fc.array(fc.integer({ min: 1, max: 4 })), (text, cuts) => {
      const bytes = encoder.encode(text);
      const pieces: Uint8Array[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++)
        pieces.push(bytes.slice(at, (at += cuts[i] ?? 1)));
      const detokenizer = new Detokenizer((id) => pieces[id]!);
      let out = '';
      for (const id of pieces.keys()) {
        const piece = detokenizer.push(id);
        expect(piece).not.toContain('\ufffd');
        out += piece;
      }
      expect(out + detokenizer.end()).toBe(
        new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes),
      );
    }),
  );
});

test('bytes that never become a character end as a replacement character', () => {
  const detokenizer = new Detokenizer(() => Uint8Array.of(0xe6));
  expect(detokenizer.push(0)).toBe('');
  expect(detokenizer.end()).toBe('\ufffd');
});

describe('stop strings', () => {
  test('whatever the pieces, the text ends before the first stop string', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 20 });
    const stop = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(letters), fc.array(stop, { maxLength: 3 }), (pieces, stops) => {
        const filter = new StopStrings(stops);
        const out = pieces.map((piece) => filter.push(piece)).join('') + filter.end();
        const text = pieces.join('');
        const ends = stops.map((value) => text.indexOf(value)).filter((at) => at >= 0);
        // A stop string that ends first wins, as text is looked at while it comes.
        const first = ends.length === 0 ? text.length : Math.min(...ends);
        expect(out.length).toBeGreaterThanOrEqual(first);
        expect(text.startsWith(out)).toBe(true);
        expect(filter.found).toBe(ends.length > 0);
        for (const value of stops) expect(out.includes(value)).toBe(false);
      }),
    );
  });

  test('text is held back only while it may begin a stop string', () => {
    const filter = new StopStrings(['END']);
    expect(filter.push('xE')).toBe('x');
    expect(filter.push('Nx')).toBe('ENx');
    expect(filter.push('EN')).toBe('');
    expect(filter.push('D and more')).toBe('');
    expect(filter.found).toBe(true);
  });
});
