/** Rows of a table, as its blocks say: the ids' rows of [V, width]. */
import { dequantize } from './dequantize.js';
import type { WeightType } from './dequantize.js';
import { selectRows } from './select-rows.js';

export function gatherRows(
  type: WeightType,
  table: Uint8Array,
  ids: ArrayLike<number>,
  width: number,
): number[] {
  return selectRows(dequantize(type, table), ids, width);
}
