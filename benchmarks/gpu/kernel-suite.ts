/** Each kernel of a GPU beside the CPU's, and beside itself: in other company, cut otherwise, again. */
import { randomWeight } from '../../test/fixtures/random-weight.js';
import { Random } from '../../test/random.js';
import { ropeTable } from '../../test/reference/attention.js';
import { WEIGHT_TYPES } from '../../test/reference/dequantize.js';
import type { AttentionCase, AttentionContext, TestingBinding } from '../../test/testing.js';

export interface CheckResult {
  name: string;
  ok: boolean;
  detail: string;
}

type Arrays = ArrayLike<number>;

function largestError(actual: Arrays, expected: Arrays): number {
  let [error, size] = [0, 1e-30];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    error = difference <= error ? error : difference; // a NaN stays
    size = Math.max(size, Math.abs(expected[i]!));
  }
  return error / size;
}

const same = (a: Arrays, b: Arrays) =>
  a.length === b.length && Array.from(a).every((value, i) => Object.is(value, b[i]));

const close = (name: string, error: number, bound: number): CheckResult => ({
  name,
  ok: error <= bound,
  detail: `differs from the CPU by ${error.toExponential(1)} of the largest (at most ${bound})`,
});
const exact = (name: string, ok: boolean): CheckResult => ({
  name,
  ok,
  detail: ok ? 'bit for bit' : 'other bits',
});

const CPU = 'portable';

/** What rounding of x to 16 bits may cost where the CPU does not round. */
const BOUNDS: Record<string, number> = { F32: 1e-4, F16: 5e-3, BF16: 3e-2 };

function* linearChecks(testing: TestingBinding, device: string): Generator<CheckResult> {
  for (const type of WEIGHT_TYPES) {
    const random = new Random(1);
    const [n, k, rows] = [150, 6 * Math.max(type.blockSize, 64), 140];
    const weight = randomWeight(type, n * k, random);
    const x = random.normals(rows * k);
    const run = (path: string, count: number) =>
      testing.linear(path, 2, weight, type.type, n, k, x.slice(0, count * k));
    const all = run(device, rows);
    yield close(
      `linear ${type.name}`,
      largestError(all, run(CPU, rows)),
      BOUNDS[type.name] ?? 1e-5,
    );
    yield exact(`linear ${type.name}, again`, same(run(device, rows), all));
    for (const count of [1, 3, 8, 9, 32, 33, 64, 65, 129])
      yield exact(
        `linear ${type.name}, the first ${count} of ${rows} rows`,
        same(run(device, count), all.slice(0, count * n)),
      );
    const ids = Int32Array.of(3, 0, 149);
    const rowsOf = (path: string) => testing.gatherRows(path, 1, weight, type.type, n, k, ids);
    yield close(`gather_rows ${type.name}`, largestError(rowsOf(device), rowsOf(CPU)), 1e-5);
    const norm = random.normals(k);
    const fused = testing.normThenLinear(device, 1, weight, type.type, n, k, x, norm);
    const normed = testing.rmsNorm(device, 1, x, null, norm, 1e-5).out;
    const apart = testing.linear(device, 1, weight, type.type, n, k, normed);
    yield exact(`rms_norm before linear ${type.name}`, same(fused, apart));
  }
}

function* attentionChecks(
  testing: TestingBinding,
  device: string,
  tokens: number,
): Generator<CheckResult> {
  for (const [heads, kvHeads, headDim, window] of [
    [8, 2, 64, 0],
    [8, 1, 128, 0],
    [6, 2, 48, 0],
    [2, 1, 256, 0],
    [8, 2, 128, 300],
  ] as const) {
    const c: AttentionCase = {
      heads,
      kvHeads,
      headDim,
      format: 'bf16',
      parallelism: 132,
      window,
      grouped: true,
      interleaved: true,
      ...ropeTable(tokens + 200, headDim, 10000),
    };
    const name = `attention of ${heads}/${kvHeads} heads of ${headDim}, window ${window}`;
    const random = new Random(2);
    const context = (n: number, rows: number): AttentionContext => ({
      k: random.normals(n * kvHeads * headDim),
      v: random.normals(n * kvHeads * headDim),
      q: random.normals(rows * heads * headDim),
      rows,
    });
    const long = context(tokens, 70);
    const sharing = Array.from({ length: 20 }, (): AttentionContext => {
      const own = context(tokens - 100 + random.below(99), 1);
      const common = tokens - 200;
      own.k.set(long.k.subarray(0, common * kvHeads * headDim));
      own.v.set(long.v.subarray(0, common * kvHeads * headDim));
      return { ...own, shares: { context: 0, tokens: common } };
    });
    const contexts = [long, ...sharing];
    const together = testing.attention(device, 1, c, contexts);
    yield close(name, largestError(together, testing.attention(CPU, 2, c, contexts)), 3e-2);
    const apart = testing.attention(device, 1, { ...c, grouped: false }, contexts);
    yield exact(`${name}, shared prefixes read apart`, same(apart, together));
    const cut = testing.attention(device, 1, { ...c, parallelism: 1 }, contexts);
    yield exact(`${name}, cut for one processor`, same(cut, together));
    const alone = testing.attention(device, 1, c, [
      { ...sharing.at(-1)!, shares: undefined },
    ] as never);
    yield exact(`${name}, one row alone`, same(alone, together.slice(-alone.length)));
  }
}

function* elementwiseChecks(testing: TestingBinding, device: string): Generator<CheckResult> {
  const random = new Random(3);
  const [x, delta] = [random.normals(3 * 4096), random.normals(3 * 4096)];
  const weight = random.normals(4096);
  const norm = (path: string) => testing.rmsNorm(path, 1, x, delta, weight, 1e-5).out;
  yield close('rms_norm', largestError(norm(device), norm(CPU)), 1e-5);
  const silu = (path: string) => testing.siluMul(path, 1, x, delta);
  yield close('silu_mul', largestError(silu(device), silu(CPU)), 1e-5);
  const rows = Int32Array.of(2, 0);
  const select = (path: string) => testing.selectRows(path, 1, x, rows, 4096);
  yield exact('select_rows', same(select(device), select(CPU)));
  const bad = x.slice();
  bad[5000] = NaN;
  const finite = (path: string) => testing.checkFinite(path, 1, bad, delta, 4096);
  yield exact('check_finite', same(finite(device), finite(CPU)));
}

function* sampleChecks(
  testing: TestingBinding,
  device: string,
  vocabulary: number,
): Generator<CheckResult> {
  const logits = new Random(4).normals(4 * vocabulary, 3);
  for (const [name, how] of Object.entries({
    greedy: {},
    temperature: { temperature: 0.8 },
    'top-k and top-p': { temperature: 1, topK: 40, topP: 0.9 },
    'typical and min-p': { temperature: 1, typicalP: 0.8, minP: 0.02 },
    edits: { temperature: 1, edits: [{ token: 7, add: 30 }] },
  })) {
    const rows = [0, 1, 2, 3].map((position) => ({ ...how, position, seed: 9, top: 5 }));
    const [ours, theirs] = [device, CPU].map((path) => testing.sample(path, 2, logits, rows));
    const tokens = (drawn: typeof ours) =>
      drawn!
        .map(({ token, top }) => [token, ...top.map(({ token: id }) => id)].join(' '))
        .join('; ');
    yield {
      name: `sample, ${name}`,
      ok: tokens(ours) === tokens(theirs),
      detail:
        tokens(ours) === tokens(theirs) ? 'the same tokens' : `${tokens(ours)} | ${tokens(theirs)}`,
    };
  }
}

/** `small`: for an emulated GPU. */
export function* kernelSuite(
  testing: TestingBinding,
  device: string,
  small = false,
): Generator<CheckResult> {
  yield* elementwiseChecks(testing, device);
  yield* linearChecks(testing, device);
  yield* attentionChecks(testing, device, small ? 400 : 5000);
  yield* sampleChecks(testing, device, small ? 3000 : 128_256);
}
