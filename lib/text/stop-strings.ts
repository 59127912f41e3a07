/** Finds stop strings in text that comes in pieces. Text that may be the beginning of one is held back. */
import { StringAutomaton } from './string-automaton.js';

export class StopStrings {
  readonly #automaton: StringAutomaton;
  #state = 0;
  #held = '';
  #found = false;

  constructor(stops: readonly string[]) {
    this.#automaton = new StringAutomaton(stops);
  }

  /** Whether a stop string has been found; no text is given out after it. */
  get found(): boolean {
    return this.#found;
  }

  /** Whether text is held back. */
  get holds(): boolean {
    return this.#held !== '';
  }

  /** The text that certainly stands before any stop string. */
  push(piece: string): string {
    if (this.#found) return '';
    const before = this.#held.length;
    const text = this.#held + piece;
    let first = Infinity; // where the earliest stop string that ends in this piece begins
    for (let i = before; i < text.length; i++) {
      this.#state = this.#automaton.step(this.#state, text.charCodeAt(i));
      const length = this.#automaton.longest(this.#state);
      if (length > 0) first = Math.min(first, i + 1 - length);
    }
    this.#found = first < Infinity;
    const out = this.#found ? first : text.length - this.#automaton.depth(this.#state);
    this.#held = this.#found ? '' : text.slice(out);
    return text.slice(0, out);
  }

  /** The text that was held back, when no more text comes. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    this.#state = 0;
    return rest;
  }
}
