/** The number of items of values. */
import { lengthOf } from './characters.js';
import { Dict, Markup, Range, Tuple, Undefined, View } from './values.js';
import type { Value } from './values.js';

/** Python's len(); undefined if the value has none. */
export function sizeOf(value: Value): number | undefined {
  if (typeof value === 'string') return lengthOf(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Range) return value.length;
  if (value instanceof View) return value.dict.size;
  if (value instanceof Undefined) return 0;
  return value instanceof Markup ? lengthOf(value.text) : undefined;
}

/** Whether Python could iterate over it by index. */
export function isSequence(value: Value): boolean {
  return !(value instanceof View) && sizeOf(value) !== undefined;
}
