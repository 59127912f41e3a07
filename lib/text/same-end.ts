/** How far two lists of ids have the same text from their ends on, however it is cut into tokens. A special token equals only itself. */
import type { Place } from './same-text.js';
import type { TokenTable } from './token-table.js';

type Tokens = Pick<TokenTable, 'bytes' | 'isSpecial'>;

/** How many last tokens of both: the most that begin at the same place of the text. */
export function sameEnd(table: Tokens, first: Int32Array, second: Int32Array): Place {
  const place: Place = { first: 0, second: 0 };
  const next = { first: 0, second: 0 }; // tokens that were looked at
  let ahead: Uint8Array = new Uint8Array(0); // bytes that one list has given and the other has not yet
  let behind: keyof Place = 'first';
  const lists = { first, second };
  for (;;) {
    const [a, b] = [first.at(-1 - next.first), second.at(-1 - next.second)];
    if (ahead.length === 0 && a !== undefined && a === b) {
      next.first++;
      next.second++;
      Object.assign(place, next);
      continue;
    }
    const id = lists[behind].at(-1 - next[behind]);
    if (id === undefined || table.isSpecial(id)) return place;
    next[behind]++;
    const bytes = table.bytes(id);
    const n = Math.min(bytes.length, ahead.length);
    if (!isEqual(bytes.subarray(bytes.length - n), ahead.subarray(ahead.length - n))) return place;
    const isLonger = bytes.length > ahead.length;
    ahead = isLonger ? bytes.subarray(0, bytes.length - n) : ahead.subarray(0, ahead.length - n);
    if (isLonger) behind = behind === 'first' ? 'second' : 'first';
    if (ahead.length === 0) Object.assign(place, next);
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}
