/** The keys of an edited block: those of the sources, in order, and after them zeros, whatever was there. */
export function kvGather(
  from: readonly Float64Array[],
  slots: readonly number[],
  size: number,
): Float64Array[] {
  const width = from[0]!.length;
  return Array.from({ length: size }, (_, i) =>
    i < slots.length ? from[slots[i]!]!.slice() : new Float64Array(width),
  );
}
