/** The whole engine against the forward pass in float64. */
import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyModel, TinyOptions } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import { forward } from '../reference/forward.js';
import type { RowPrecision } from '../reference/linear.js';
import { paths } from '../testing.js';

/** VNNI gives AVX2's bits (test/kernels/linear), and a forward pass in float64 takes its time. */
const distinctPaths = paths.filter((path) => path !== 'avxvnni');

/** The reference is the same for every path. */
const known = new Map<string, Float64Array[]>();
function reference(
  model: TinyModel,
  options: TinyOptions,
  text: readonly number[],
  precision: RowPrecision,
): Float64Array[] {
  const key = JSON.stringify([options, text.length, precision]);
  if (!known.has(key)) known.set(key, forward(model, text, precision));
  return known.get(key)!;
}

const random = new Random(1);
const tokens = Array.from({ length: 70 }, () => 3 + random.below(300));

/** Largest difference from the float64 forward pass, as a share of the largest logit. */
async function error(
  path: string,
  kv: 'f32' | 'bf16',
  options: TinyOptions,
  precision: RowPrecision = 'exact',
  text = tokens,
): Promise<number> {
  const model = await writeTinyModel(options);
  const expected = reference(model, options, text, precision);
  await using engine = await Engine.load(model.path, {
    instructions: path as 'auto',
    kv: { format: kv },
  });
  const logits = await engine.logits(text, { rows: text.map((_, i) => i) });
  let worst = 0;
  let largest = 0;
  logits.forEach((row, t) =>
    row.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - expected[t]![i]!));
      largest = Math.max(largest, Math.abs(expected[t]![i]!));
    }),
  );
  return worst / largest;
}

/** What int8 inputs cost by themselves, in float64, as a share of the largest logit. */
async function roundingCost(options: TinyOptions): Promise<number> {
  const model = await writeTinyModel(options);
  const rounded = reference(model, options, tokens, 'int8');
  const exact = reference(model, options, tokens, 'exact');
  return (
    largestOf(rounded.map((row, t) => row.map((value, i) => value - exact[t]![i]!))) /
    largestOf(exact)
  );
}

const largestOf = (rows: Float64Array[]) =>
  rows.reduce((max, row) => row.reduce((m, value) => Math.max(m, Math.abs(value)), max), 0);

/** `quantized` names the weight types that stand for all of their kind. */
export function describeForward(quantized: readonly string[]): void {
  describe.each(distinctPaths)('the forward pass on %s', (path) => {
    test.each([
      ['grouped heads', {}],
      ['one KV head', { shape: { kvHeads: 1 } }],
      ['as many KV heads as heads', { shape: { kvHeads: 4 } }],
      ['tied embeddings', { tied: true }],
      [
        'head size 48, widths that are no multiple of 64',
        { shape: { width: 144, heads: 3, kvHeads: 3, ffn: 200 } },
      ],
    ] as [string, TinyOptions][])('F32, %s: equals float64', async (_, options) => {
      expect(await error(path, 'f32', options)).toBeLessThan(2e-5);
    });

    test('F16 weights: equals float64', async () => {
      expect(await error(path, 'f32', { type: 'F16' })).toBeLessThan(2e-5);
    });

    // The reference rounds the inputs of products to int8 as the path does. A value on the edge between two codes may fall
    // either way, and every later token then sees it: the first token, which has been through every weight, is
    // compared sharply, the whole text with what int8 costs by itself.
    test.each(quantized)('%s weights: equals float64 with int8 inputs', async (type) => {
      expect(await error(path, 'f32', { type }, 'int8', tokens.slice(0, 1))).toBeLessThan(1e-3);
      const limit = await roundingCost({ type });
      expect(await error(path, 'f32', { type }, 'int8')).toBeLessThan(limit);
    });

    test('BF16 weights: equals float64 with inputs as the path rounds them', async () => {
      expect(
        await error(path, 'f32', { type: 'BF16' }, path === 'avx512' ? 'bf16' : 'exact'),
      ).toBeLessThan(5e-3);
    });

    test('bf16 keys and values cost their rounding, and no more', async () => {
      expect(await error(path, 'bf16', {})).toBeLessThan(2e-2);
    });
  });
}
