/** The keys that a sequence keeps, and which of them a row reads. */
import { rotate } from './attention.js';
import type { ReferenceReading } from './blends.js';
import type { Rope } from './rope.js';

/** A key of one head, rotated at its position, with its value. */
export interface KeptKey {
  position: number;
  key: Float64Array;
  value: Float64Array;
  /** log2 of how many tokens it stands for. */
  weight: number;
  /** What a policy has noted of it. */
  score?: number;
  /** If it is read side by side with others. */
  reading?: ReferenceReading | undefined;
}

/** A sequence's own: a token reads the first `sinks` positions and the last `size`; the sinks as if they stood right before these. */
export interface ReferenceWindow {
  sinks: number;
  size: number;
}
export const EVERYTHING: ReferenceWindow = { sinks: 0, size: Infinity };

/** As a row at a position reads them. `layer`: the last positions that its layer reads; 0: all. */
export function keysRead(
  keys: readonly KeptKey[],
  position: number,
  own: ReferenceWindow,
  layer: number,
  { rope, interleaved }: { rope: Rope; interleaved: boolean },
): KeptKey[] {
  const moved = Math.max(0, position - (own.sinks + own.size - 1)); // of the sinks
  const asRead = (key: KeptKey): KeptKey => {
    if (moved === 0 || key.position >= own.sinks) return key;
    const there = rotate(key.key, moved, { ...rope, magnitude: 1 }, interleaved);
    return { ...key, position: key.position + moved, key: there };
  };
  return keys
    .filter((key) => moved === 0 || key.position < own.sinks || key.position > position - own.size)
    .map(asRead)
    .filter((key) => layer === 0 || key.position > position - layer);
}
