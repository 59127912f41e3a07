/** Finds stop strings in text that comes in pieces. Text that may be the beginning of one is held back. */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';
  #found = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** Whether a stop string has been seen; nothing comes out after it. */
  get found(): boolean {
    return this.#found;
  }

  /** Text that surely stands before any stop string. */
  push(piece: string): string {
    if (this.#found) return '';
    if (this.#stops.length === 0) return piece;
    const text = this.#held + piece;
    const first = this.#stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    if (first.length > 0) {
      this.#found = true;
      this.#held = '';
      return text.slice(0, Math.min(...first));
    }
    const keep = this.possibleBeginning(text);
    this.#held = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  /** What was held back, when no more text comes. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  /** Length of the longest end of `text` that begins a stop string. */
  private possibleBeginning(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let n = Math.min(stop.length - 1, text.length); n > longest; n--) {
        if (text.endsWith(stop.slice(0, n))) longest = n;
      }
    }
    return longest;
  }
}
