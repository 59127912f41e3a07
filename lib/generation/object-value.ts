/** The value that an answer says, if that is JSON. */
import { parse } from 'partial-json';

import type { Schema } from '../options/schema-option.js';

/** What the beginning of a JSON text says; undefined: nothing yet. */
export function partialValue(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return parse(text);
  } catch {
    return undefined; // a number or a word that has only begun
  }
}

export async function valueOf(
  schema: Schema,
  text: string,
  isWhole: boolean,
): Promise<{ object: unknown } | { partialObject: unknown }> {
  if (!isWhole) return { partialObject: partialValue(text) };
  const value: unknown = JSON.parse(text);
  return { object: schema.parse ? await schema.parse(value) : value };
}
