/**
 * Attention over a context of parts in float64, from its definition: one softmax over all keys that a query sees, of whichever
 * part, as if each had been rotated at the position where the context has it.
 */
import { rotate } from './attention.js';

export interface Part {
  /** One vector per token; keys are not rotated. */
  k: readonly ArrayLike<number>[];
  v: readonly ArrayLike<number>[];
  /** Where the context has the first token; may be negative. */
  position: number;
}

/** A token of a context. */
export interface ContextKey {
  key: Float64Array; // rotated
  value: ArrayLike<number>;
  position: number;
  part: number;
  /** Counted from the part's first. */
  token: number;
}

export function keysOf(
  parts: readonly Part[],
  { base, interleaved }: { base: number; interleaved: boolean },
): ContextKey[] {
  return parts.flatMap(({ k, v, position: first }, part) =>
    k.map((key, token) => ({
      key: rotate(key, first + token, base, interleaved),
      value: v[token]!,
      position: first + token,
      part,
      token,
    })),
  );
}

/** What a query at `position` sees: all that stands at or before it, and in its window (0: everything). */
export function seenFrom(
  position: number,
  keys: readonly ContextKey[],
  window: number,
): ContextKey[] {
  return keys.filter(
    ({ position: at }) => at <= position && (window === 0 || at > position - window),
  );
}
