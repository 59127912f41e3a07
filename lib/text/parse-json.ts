/**
 * Untrusted JSON. A text is scanned before it is parsed: for its depth, because code that walks the value later may be recursive,
 * and for its number of values, because each takes many times the memory of its characters.
 */
import { CachalotError } from '../errors.js';
import type { ErrorCode } from '../errors.js';

const MAX_DEPTH = 64;
/** Twice as many as the largest vocabularies have, with their merges as pairs. */
const MAX_VALUES = 8 << 20;
const MAX_CHARACTERS = 256 << 20;

/** Throws an error of `code` whose message begins with `what`: "'tokenizer.json'", "it". */
export function parseJson(text: string, what: string, code: ErrorCode): unknown {
  const refuse = (why: string, cause?: unknown) =>
    new CachalotError(code, `${what} ${why}`, { cause });
  if (text.length > MAX_CHARACTERS)
    throw refuse(`has ${text.length} characters; at most ${MAX_CHARACTERS} are allowed`);
  const { depth, values } = measure(text);
  if (depth > MAX_DEPTH)
    throw refuse(`holds lists or objects more than ${MAX_DEPTH} deep in each other`);
  if (values > MAX_VALUES) throw refuse(`holds more than ${MAX_VALUES} values`);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw refuse(`is no JSON: ${(error as Error).message}`, error);
  }
}

const BACKSLASH = 0x5c;

/** The depth of a JSON text, and an upper bound of its number of values. The scan ends early if that is too much. */
function measure(text: string): { depth: number; values: number } {
  let [depth, deepest, values] = [0, 0, 1];
  for (let i = 0; i < text.length && deepest <= MAX_DEPTH && values <= MAX_VALUES; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: // "
        i = endOfString(text, i);
        break;
      case 0x2c: // ,
        values++;
        break;
      case 0x5b: // [
      case 0x7b: // {
        values++;
        deepest = Math.max(deepest, ++depth);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
    }
  }
  return { depth: deepest, values };
}

/** The end of the JSON string that begins at `start`, or the end of the text. */
export function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end;
    while (text.charCodeAt(before - 1) === BACKSLASH) before--;
    if ((end - before) % 2 === 0) return end; // not escaped
  }
  return text.length;
}
