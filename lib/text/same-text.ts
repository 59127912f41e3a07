/**
 * How far two lists of ids have the same text. The same text can be cut into tokens in many ways: a model need not cut its answer
 * as the tokenizer would. A special token equals only itself.
 */
import { Detokenizer } from './detokenizer.js';
import type { TokenTable } from './token-table.js';

/** The last positions in both lists up to which their texts are equal and a token ends in both. */
export interface Place {
  first: number;
  second: number;
}

type Tokens = Pick<TokenTable, 'bytes' | 'isSpecial'>;

export function sameText(table: Tokens, first: Int32Array, second: Int32Array): Place {
  const place: Place = { first: 0, second: 0 };
  for (;;) {
    while (place.first < first.length && first[place.first] === second[place.second]) {
      place.first++;
      place.second++;
    }
    const step = stepOf(table, first.subarray(place.first), second.subarray(place.second));
    if (!step) return place;
    place.first += step.first;
    place.second += step.second;
  }
}

/** The fewest tokens of both with equal text, or undefined if the texts differ or one list ends before. */
function stepOf(table: Tokens, first: Int32Array, second: Int32Array): Place | undefined {
  const [a, b] = [new Reader(table, first), new Reader(table, second)];
  let ahead = ''; // text that one list has given and the other has not yet
  let behind = a;
  for (;;) {
    const piece = behind.read();
    if (piece === undefined) return undefined;
    if (ahead.startsWith(piece)) {
      ahead = ahead.slice(piece.length);
    } else {
      if (!piece.startsWith(ahead)) return undefined;
      ahead = piece.slice(ahead.length);
      behind = behind === a ? b : a;
    }
    if (ahead !== '') continue;
    if (a.isWhole && b.isWhole && a.count > 0 && b.count > 0)
      return { first: a.count, second: b.count };
    behind = a.isWhole && a.count > 0 ? b : a;
  }
}

/** Text of tokens up to the next special one. */
class Reader {
  count = 0;
  readonly #table: Tokens;
  readonly #ids: Int32Array;
  readonly #detokenizer: Detokenizer;

  constructor(table: Tokens, ids: Int32Array) {
    this.#table = table;
    this.#ids = ids;
    this.#detokenizer = new Detokenizer((id) => table.bytes(id));
  }

  /** Whether a character ends here. Invalid bytes become a replacement character once another byte follows them. */
  get isWhole(): boolean {
    return this.#detokenizer.isWhole;
  }

  /** The text after one more token. Empty at the end or at a special token: an incomplete character then stays incomplete. */
  read(): string | undefined {
    const id = this.#ids[this.count];
    if (id === undefined || this.#table.isSpecial(id))
      return this.isWhole ? undefined : this.#detokenizer.end();
    this.count++;
    return this.#detokenizer.push(id);
  }
}
