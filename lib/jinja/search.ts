/**
 * Finds a text within another. V8's own search can take as many steps as the product of both lengths, and nothing can stop
 * it: neither a deadline nor the end of its worker. So if that could be long, each character is examined once, in
 * JavaScript, which can be stopped.
 */

/** Steps that take a few hundredths of a second. */
const MAX_STEPS = 1 << 26;

/** Whether V8's own search certainly ends soon. */
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

/** The last match that begins at `from` or before. */
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

/** Both texts in the direction of the search, and the meaning of a place in that direction. */
interface Order {
  text: (i: number) => number;
  wanted: (i: number) => number;
  found: (i: number) => number;
}

/** The algorithm of Knuth, Morris and Pratt. */
function search(length: number, wantedLength: number, { text, wanted, found }: Order): number {
  if (wantedLength > length) return -1;
  /** For each number of matching characters: how many of them still match at the next possible start. */
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
