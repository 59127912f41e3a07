/** Slots [first, end) of a block are copied to the same slots of another: all others hold zeros, whatever was there. */
export function kvCopy(from: readonly Float64Array[], first: number, end: number): Float64Array[] {
  return from.map((slot, i) =>
    i >= first && i < end ? slot.slice() : new Float64Array(slot.length),
  );
}
