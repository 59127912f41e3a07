import fc from 'fast-check';

import { GREEDY } from '../../lib/options/sampling-options.js';
import { edits } from '../reference/sample.js';
import { testing } from '../testing.js';

const options = fc.record({
  repetitionPenalty: fc.constantFrom(1, 1.25, 0.5),
  frequencyPenalty: fc.constantFrom(0, 0.5, -1),
  presencePenalty: fc.constantFrom(0, 0.25),
  penaltyWindow: fc.constantFrom(0, 1, 5, 1000),
  dryMultiplier: fc.constantFrom(0, 0.5),
  dryBase: fc.constantFrom(1, 1.75),
  dryAllowedLength: fc.constantFrom(1, 2, 4),
  dryWindow: fc.constantFrom(0, 3, 20),
  dryBreakers: fc.constantFrom(Int32Array.of(), Int32Array.of(1), Int32Array.of(0, 2)),
});

test('penalties, DRY and bias equal a plain scan of the text', () => {
  fc.assert(
    fc.property(
      options,
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 60 }),
      fc.nat(60),
      (given, tokens, prompt) => {
        const sampling = {
          ...GREEDY,
          ...given,
          biasTokens: Int32Array.of(2, 9),
          biasValues: Float32Array.of(-1.5, 3),
        };
        const n = Math.min(prompt, tokens.length);
        const expected = edits(sampling, tokens, n);
        const actual = testing.logitEdits(sampling, Int32Array.from(tokens), n);
        expect(actual.map(({ token }) => token)).toEqual(expected.map(({ token }) => token));
        actual.forEach(({ repetition, add }, i) => {
          expect(repetition).toBeCloseTo(expected[i]!.repetition, 6);
          // A long repetition makes a large number: relative, up to the cap of a million.
          const wanted = Math.max(-1e6, expected[i]!.add);
          expect(Math.abs(add - wanted)).toBeLessThanOrEqual(
            1e-5 * (1 + Math.abs(wanted)) + (wanted < -9e5 ? 10 : 0),
          );
        });
      },
    ),
    { numRuns: 400 },
  );
});

// In quadratic time it would not end: `npm run bench:host` tells how long it takes.
test('DRY looks at a long repetitive text', () => {
  const tokens = new Int32Array(100_000).fill(7);
  const [edit] = testing.logitEdits({ ...GREEDY, dryMultiplier: 1 }, tokens, 0);
  expect(edit).toMatchObject({ token: 7, add: -1e6 });
});
