import { Random } from '../random.js';
import { paths, testing } from '../testing.js';
import type { SampleRow } from '../testing.js';

const row = (options: Partial<SampleRow> = {}): SampleRow => ({
  temperature: 0,
  seed: 1,
  completion: 0,
  position: 0,
  forcedToken: -1,
  ...options,
});

describe.each(paths)('sample on %s', (path) => {
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

  test('draws follow softmax(logits / temperature) (chi-square over 20,000 positions)', () => {
    const logits = Float32Array.of(0, 1, 2, 0.5, -1, 1.5);
    const [temperature, n] = [0.8, 20_000];
    const weights = Array.from(logits, (value) => Math.exp(value / temperature));
    const total = weights.reduce((a, b) => a + b);
    const counts = new Array<number>(logits.length).fill(0);
    for (let position = 0; position < n; position += 1000) {
      const rows = Array.from({ length: 1000 }, (_, i) =>
        row({ temperature, position: position + i }),
      );
      const many = new Float32Array(1000 * logits.length).map((_, i) => logits[i % logits.length]!);
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
    expect(draw(both, [row({ temperature: 1 }), row({ temperature: 1, position: 9 })])[1]).toEqual(
      alone,
    );
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
});
