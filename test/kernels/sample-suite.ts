/** The properties of sampling, on every device. */
import { Random } from '../random.js';
import { applyEdits, distribution } from '../reference/sample.js';
import { devices, testing } from '../testing.js';
import type { SampleRow } from '../testing/ops.js';

const row = (options: Partial<SampleRow> = {}): SampleRow => ({
  temperature: 0,
  seed: 1,
  completion: 0,
  position: 0,
  forcedToken: -1,
  ...options,
});

/** `onGpu`: how many draws a distribution gets on the emulated GPU, where one takes a while. */
export function describeSample(onGpu: number): void {
  describe.each(devices)('sample on $name', ({ path, isCuda }) => {
    const draws = isCuda ? onGpu : 20_000;
    const atOnce = Math.min(1000, draws);
    const draw = (logits: Float32Array, rows: SampleRow[]) => testing.sample(path, 2, logits, rows);

    test('temperature 0 takes the largest logit, the first among equals', () => {
      expect(draw(Float32Array.of(1, 3, 2, 3, -1), [row()])[0]!.token).toBe(1);
    });

    test('log-probabilities are those of the softmax', () => {
      const logits = new Random(2).normals(1003, 3);
      const total = logits.reduce((sum, value) => sum + Math.exp(value), 0);
      for (const forcedToken of [0, 17, 1002]) {
        const { token, logprob } = draw(logits, [row({ forcedToken })])[0]!;
        expect(token).toBe(forcedToken);
        expect(logprob).toBeCloseTo(logits[forcedToken]! - Math.log(total), 5);
      }
    });

    test('draws follow softmax(logits / temperature) (chi-square over many positions)', () => {
      const logits = Float32Array.of(0, 1, 2, 0.5, -1, 1.5);
      const [temperature, n] = [0.8, draws];
      const weights = Array.from(logits, (value) => Math.exp(value / temperature));
      const total = weights.reduce((a, b) => a + b);
      const counts = new Array<number>(logits.length).fill(0);
      for (let position = 0; position < n; position += atOnce) {
        const rows = Array.from({ length: atOnce }, (_, i) =>
          row({ temperature, position: position + i }),
        );
        const many = new Float32Array(atOnce * logits.length).map(
          (_, i) => logits[i % logits.length]!,
        );
        for (const { token } of draw(many, rows)) counts[token]!++;
      }
      const chi = counts.reduce(
        (sum, count, i) =>
          sum + (count - (n * weights[i]!) / total) ** 2 / ((n * weights[i]!) / total),
        0,
      );
      expect(chi).toBeLessThan(20.5); // 99.9 % of chi-square with 5 degrees of freedom
    });

    test('a draw depends on its key alone: not on the other rows, and on each part of the key', () => {
      const logits = new Random(3).normals(500);
      const alone = draw(logits, [row({ temperature: 1, position: 9 })])[0];
      const both = Float32Array.from([...new Random(4).normals(500), ...logits]);
      expect(
        draw(both, [row({ temperature: 1 }), row({ temperature: 1, position: 9 })])[1],
      ).toEqual(alone);
      const tokens = (key: keyof SampleRow) =>
        new Set(
          Array.from(
            { length: 40 },
            (_, i) => draw(logits, [row({ temperature: 1, [key]: i })])[0]!.token,
          ),
        );
      for (const key of ['seed', 'completion', 'position'] as const)
        expect(tokens(key).size).toBeGreaterThan(20);
    });

    test('a row with a NaN or without a finite logit is reported, its neighbour is not touched', () => {
      const bad = [NaN, Infinity, -Infinity].map((value) =>
        Float32Array.from({ length: 40 }, () => value),
      );
      for (const logits of bad) {
        const [first, second] = draw(Float32Array.from([...logits, ...new Float32Array(39), 1]), [
          row(),
          row(),
        ]);
        expect(first!.token).toBe(-1);
        expect(second!.token).toBe(39);
      }
      const one = new Float32Array(40).fill(1);
      one[33] = NaN;
      expect(draw(one, [row({ temperature: 1 })])[0]!.token).toBe(-1);
    });

    const filters: [string, SampleRow][] = [
      ['top-k', { topK: 5 }],
      ['top-k 1', { topK: 1 }],
      ['top-p', { topP: 0.6 }],
      ['top-p 0', { topP: 0 }],
      ['min-p', { minP: 0.2 }],
      ['typical', { typicalP: 0.5 }],
      ['all of them', { topK: 30, typicalP: 0.9, topP: 0.8, minP: 0.05, temperature: 1.3 }],
      [
        'edits',
        {
          edits: [
            { token: 3, add: -4 },
            { token: 8, add: 2 },
            { token: 9, repetition: 1.5 },
          ],
        },
      ],
      [
        'a pull towards another distribution',
        {
          edits: [
            { token: 0, add: 2, pull: 10 },
            { token: 6, add: 0.5, pull: 10 },
            { token: 30, repetition: 1.2, add: 3, pull: 5 },
          ],
        },
      ],
      ['a mask', { allowed: Int32Array.of(0, 5, 6, 7, 31, 32, 39) }],
      ['a mask that allows one token', { allowed: Int32Array.of(33) }],
      [
        'a mask, edits and top-p',
        {
          allowed: Int32Array.from({ length: 20 }, (_, i) => 2 * i),
          edits: [
            { token: 3, add: 50 },
            { token: 4, add: 1 },
          ],
          topP: 0.8,
        },
      ],
      [
        'edits and top-k',
        {
          topK: 3,
          edits: [
            { token: 0, add: 5 },
            { token: 1, add: -Infinity },
          ],
        },
      ],
    ];

    test.each(filters)('%s: draws follow the reference (chi-square)', (_, how) => {
      const logits = new Random(6).normals(40, 1.5);
      logits[7] = logits[6]!; // equals, of which the smaller id counts as likelier
      const expected = distribution(logits, { temperature: 1, ...how });
      const counts = logits.map(() => 0);
      const n = draws;
      for (let position = 0; position < n; position += atOnce) {
        const rows = Array.from({ length: atOnce }, (__, i) =>
          row({ temperature: 1, ...how, position: position + i }),
        );
        const many = new Float32Array(atOnce * 40).map((__, i) => logits[i % 40]!);
        for (const { token } of draw(many, rows)) counts[token]!++;
      }
      let [chi, degrees] = [0, -1];
      expected.forEach((p, token) => {
        if (p === 0) expect([token, counts[token]]).toEqual([token, 0]);
        if (p * n < 5) return;
        chi += (counts[token]! - p * n) ** 2 / (p * n);
        degrees++;
      });
      expect(chi).toBeLessThan(degrees + 4 * Math.sqrt(2 * degrees + 1) + 1);
    });

    test('a vocabulary of 128,000 is truncated like the reference', () => {
      const logits = new Random(8).normals(128_000, 2);
      const how = { temperature: 1, topK: 50, topP: 0.7 };
      const allowed = distribution(logits, how);
      for (let position = 0; position < (isCuda ? 2 : 30); position++) {
        const { token } = draw(logits, [row({ ...how, position })])[0]!;
        expect(allowed[token]).toBeGreaterThan(0);
      }
    });

    test('a mask of all tokens draws what no mask draws; one of no token says so', () => {
      const logits = new Random(3).normals(1003, 2);
      const everything = Int32Array.from(logits.keys());
      for (const temperature of [0, 0.8])
        for (let position = 0; position < 20; position++) {
          const how = { temperature, position, topP: 0.9 };
          const [plain, masked] = [row(how), row({ ...how, allowed: everything })];
          expect(draw(logits, [masked])).toEqual(draw(logits, [plain]));
        }
      const none = draw(logits, [row({ allowed: new Int32Array(0) })])[0]!;
      expect([none.token, none.logprob]).toEqual([-2, NaN]);
      logits[7] = NaN;
      expect(draw(logits, [row({ allowed: Int32Array.of(8) })])[0]!.token).toBe(-1);
    });

    test('rows of a step have masks of their own, and log-probabilities stay the model’s own', () => {
      const logits = new Random(4).normals(100, 2);
      const two = Float32Array.from([...logits, ...logits, ...logits]);
      const [a, b, c] = draw(two, [
        row({ allowed: Int32Array.of(40) }),
        row(),
        row({ allowed: Int32Array.of(99, 98) }),
      ]);
      expect(a!.token).toBe(40);
      expect(a!.logprob).toBe(draw(logits, [row({ forcedToken: 40 })])[0]!.logprob);
      expect(b!.token).toBe(logits.indexOf(Math.max(...logits)));
      expect(c!.token).toBe(logits[98]! >= logits[99]! ? 98 : 99);
    });

    test("temperature 0 takes the largest edited logit; the log-probability stays the model's own", () => {
      const logits = Float32Array.of(1, 3, 2, -1);
      const edits = [
        { token: 1, add: -5 },
        { token: 3, repetition: 2 },
      ];
      const [plain] = draw(logits, [row({ forcedToken: 2 })]);
      expect(draw(logits, [row({ edits })])[0]).toMatchObject({
        token: 2,
        logprob: plain!.logprob,
      });
      expect(applyEdits(logits, edits)).toEqual([1, -2, 2, -2]);
    });

    test('the likeliest tokens are reported in order, the smaller id first among equals', () => {
      const logits = new Random(9).normals(3000);
      logits[100] = logits[200] = 9;
      const { top } = draw(logits, [row({ top: 20 })])[0]!;
      const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b);
      expect(top.map(({ token }) => token)).toEqual(order.slice(0, 20));
      for (const { token, logprob } of top) {
        expect(logprob).toBe(draw(logits, [row({ forcedToken: token })])[0]!.logprob);
      }
      expect(draw(Float32Array.of(1, 2), [row({ top: 3 })])[0]!.top[2]!.token).toBe(-1);
    });
  });
}
