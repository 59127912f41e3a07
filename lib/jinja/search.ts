/**
 * Where a text is within another. The engine's own search can take as many steps as both lengths multiplied, and nothing stops
 * it: neither a deadline nor the end of its worker. So where that would be long, each character is looked at once, in
 * JavaScript, which can be stopped.
 */

/** Steps that no one waits for: a few hundredths of a second. */
const MAX_STEPS = 1 << 26;

/** Whether the engine's own search surely ends soon. */
export function isQuick(text: string, wanted: string): boolean {
  return text.length * wanted.length <= MAX_STEPS;
}

export function indexOf(text: string, wanted: string, from = 0): number {
  if (isQuick(text, wanted)) return text.indexOf(wanted, from);
  return search(text.length - from, wanted.length, {
    text: (i) => text.charCodeAt(from + i),
    wanted: (i) => wanted.charCodeAt(i),
    found: (i) => from + i,
  });
}

/** The last one that begins at `from` or before. */
export function lastIndexOf(text: string, wanted: string, from = Infinity): number {
  if (isQuick(text, wanted)) return text.lastIndexOf(wanted, from);
  const end = Math.min(text.length, from + wanted.length);
  return search(end, wanted.length, {
    text: (i) => text.charCodeAt(end - 1 - i),
    wanted: (i) => wanted.charCodeAt(wanted.length - 1 - i),
    found: (i) => end - i - wanted.length,
  });
}

export function countOf(text: string, wanted: string): number {
  let n = 0;
  for (let at = indexOf(text, wanted); at >= 0; n++) at = indexOf(text, wanted, at + wanted.length);
  return n;
}

/** Both texts in the order in which they are looked through, and what a place in that order means. */
interface Order {
  text: (i: number) => number;
  wanted: (i: number) => number;
  found: (i: number) => number;
}

/** By Knuth, Morris and Pratt. */
function search(length: number, wantedLength: number, { text, wanted, found }: Order): number {
  if (wantedLength > length) return -1;
  /** By how many characters match: how many of them still match where the next match could begin. */
  const kept = new Int32Array(wantedLength + 1);
  for (let i = 1, n = 0; i < wantedLength; i++) {
    while (n > 0 && wanted(i) !== wanted(n)) n = kept[n]!;
    if (wanted(i) === wanted(n)) n++;
    kept[i + 1] = n;
  }
  for (let i = 0, n = 0; i < length; i++) {
    const one = text(i);
    while (n > 0 && one !== wanted(n)) n = kept[n]!;
    if (one === wanted(n)) n++;
    if (n === wantedLength) return found(i + 1 - n);
  }
  return -1;
}
