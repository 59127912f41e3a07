import { TextDecoder } from 'node:util';

/** Turns tokens into text as they come. A token may hold a part of a character; nothing is given out until the character is complete. */
export class Detokenizer {
  readonly #bytes: (id: number) => Uint8Array;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #last: number[] = []; // the last bytes: as many as an incomplete character can have

  constructor(bytes: (id: number) => Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether no character is incomplete. */
  get isWhole(): boolean {
    const length = this.#last.length;
    const begin = this.#last.findLastIndex((byte) => byte >> 6 !== 0b10);
    return begin < 0 || lengthFrom(this.#last[begin]!) <= length - begin;
  }

  /** The text that is complete after this token; may be empty. */
  push(id: number): string {
    const bytes = this.#bytes(id);
    this.#last = [...this.#last, ...bytes.subarray(-3)].slice(-3);
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** The remainder: a replacement character for a character that was never completed. */
  end(): string {
    this.#last = [];
    return this.#decoder.decode();
  }
}

/** The length of a character in UTF-8, by its first byte. */
function lengthFrom(byte: number): number {
  if (byte >= 0xf0) return 4;
  if (byte >= 0xe0) return 3;
  return byte >= 0xc0 ? 2 : 1;
}
