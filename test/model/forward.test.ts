import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import type { TinyOptions } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import { forward } from '../reference/forward.js';
import type { RowPrecision } from '../reference/linear.js';
import { paths } from '../testing.js';

const random = new Random(1);
const tokens = Array.from({ length: 70 }, () => 3 + random.below(300));

/** Largest difference from the float64 forward pass, as a share of the largest logit. */
async function error(
  path: string,
  kv: 'f32' | 'bf16',
  options: TinyOptions,
  precision: RowPrecision = 'exact',
): Promise<number> {
  const model = await writeTinyModel(options);
  const expected = forward(model, tokens, precision);
  await using engine = await Engine.load(model.path, {
    instructions: path as 'auto',
    kv: { format: kv },
  });
  const logits = await engine.logits(tokens, { rows: tokens.map((_, i) => i) });
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

describe.each(paths)('the forward pass on %s', (path) => {
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

  // The reference rounds the inputs of products as the path does, so that what is left is a code flipped here and there.
  test.each(['Q8_0', 'Q4_0', 'Q2_K', 'Q4_K', 'Q5_K', 'IQ2_XXS'])(
    '%s weights: equals float64 with int8 inputs',
    async (type) => {
      expect(await error(path, 'f32', { type }, 'int8')).toBeLessThan(5e-3);
    },
  );

  test('BF16 weights: equals float64 with inputs as the path rounds them', async () => {
    expect(
      await error(path, 'f32', { type: 'BF16' }, path === 'portable' ? 'exact' : 'bf16'),
    ).toBeLessThan(5e-3);
  });

  test('bf16 keys and values cost their rounding, and no more', async () => {
    expect(await error(path, 'bf16', {})).toBeLessThan(2e-2);
  });
});
