/** The slots of a block after the first n of another are copied to it: the rest hold zeros, whatever was there. */
export function kvCopy(from: readonly Float64Array[], tokens: number): Float64Array[] {
  return from.map((slot, i) => (i < tokens ? slot.slice() : new Float64Array(slot.length)));
}
