import { TextDecoder } from 'node:util';

/** Tokens to text as they come. A token may hold a part of a character: nothing is given out until it is whole. */
export class Detokenizer {
  readonly #bytes: (id: number) => Uint8Array;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(bytes: (id: number) => Uint8Array) {
    this.#bytes = bytes;
  }

  /** The text that is complete with this token; may be empty. */
  push(id: number): string {
    return this.#decoder.decode(this.#bytes(id), { stream: true });
  }

  /** What is left: a replacement character for a character that was never completed. */
  end(): string {
    return this.#decoder.decode();
  }
}
