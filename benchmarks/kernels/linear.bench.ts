/** y = x W^T at the shapes of two models: what is read is the weight, what is done are 2 N K operations a row. */
import { randomWeight } from '../../test/fixtures/random-weight.js';
import { Random } from '../../test/random.js';
import { WEIGHT_TYPES } from '../../test/reference/dequantize.js';
import { SHAPES } from '../models/shapes.js';
import { ROWS } from './point.js';
import type { KernelPoint } from './point.js';

const MODELS = ['smollm2-135m', 'llama-3.2-1b'];

export function linearPoints(types: readonly string[]): KernelPoint[] {
  return WEIGHT_TYPES.filter(({ name }) => types.includes(name)).flatMap((type) =>
    MODELS.flatMap((model) => {
      const { width, ffn } = SHAPES[model]!;
      const matrices = [
        { n: width, k: width },
        { n: ffn, k: width },
        { n: width, k: ffn },
      ];
      return matrices
        .filter(({ k }) => k % type.blockSize === 0)
        .flatMap(({ n, k }) => ROWS.map((rows) => point(type, n, k, rows)));
    }),
  );
}

function point(
  type: (typeof WEIGHT_TYPES)[number],
  n: number,
  k: number,
  rows: number,
): KernelPoint {
  const isFloat = type.blockSize === 1;
  return {
    op: 'linear',
    kind: type.name,
    shape: `${n} x ${k}`,
    rows,
    bytes: (n * k * type.blockBytes) / type.blockSize,
    operations: 2 * n * k * rows,
    unit: !isFloat ? 'int8' : type.name === 'BF16' ? 'bf16' : 'f32',
    time: (timing, path, threads) =>
      timing.timeLinear(
        path,
        threads,
        randomWeight(type, n * k, new Random(1)),
        type.type,
        n,
        k,
        rows,
      ),
  };
}
