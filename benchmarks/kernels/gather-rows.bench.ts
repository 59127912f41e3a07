/** Rows of an embedding, converted to f32: what is read are the tokens' rows alone, far from each other. */
import { randomWeight } from '../../test/fixtures/random-weight.js';
import { Random } from '../../test/random.js';
import { WEIGHT_TYPES } from '../../test/reference/dequantize.js';
import { SHAPES } from '../models/shapes.js';
import { ROWS } from './point.js';
import type { KernelPoint } from './point.js';

const { vocabulary, width } = SHAPES['smollm2-135m']!;

export function gatherRowsPoints(types: readonly string[]): KernelPoint[] {
  return WEIGHT_TYPES.filter(
    ({ name, blockSize }) => types.includes(name) && width % blockSize === 0,
  ).flatMap((type) =>
    ROWS.map((rows) => ({
      op: 'gather_rows',
      kind: type.name,
      shape: `${vocabulary} x ${width}`,
      rows,
      bytes: rows * width * (type.blockBytes / type.blockSize + 4),
      operations: 2 * rows * width,
      unit: 'f32' as const,
      time: (timing, path, threads) => {
        const table = randomWeight(type, vocabulary * width, new Random(1));
        return timing.timeGatherRows(path, threads, table, type.type, vocabulary, width, rows);
      },
    })),
  );
}
