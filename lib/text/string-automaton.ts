/**
 * Finds many strings at once, in one pass and a few steps per character whatever the strings are (Aho and Corasick 1975). A state
 * is the longest suffix of the text so far that is a prefix of one of the strings. States are numbered breadth first, so the children
 * of a state are adjacent and sorted, and a few flat arrays hold everything.
 */
export class StringAutomaton {
  readonly #firstChild: Int32Array; // [states + 1]; the children of s end where those of s + 1 begin
  readonly #unit: Uint16Array; // [states] the code unit that leads there
  readonly #shorter: Int32Array; // [states] the longest proper suffix of a state that is a state
  readonly #depth: Int32Array; // [states] in code units
  readonly #longest: Int32Array; // [states] length of the longest of the strings that ends there; 0: none

  /** `backwards`: reads the strings and the text from their ends to their beginnings. */
  constructor(strings: readonly string[], backwards = false) {
    const read = backwards ? strings.map(reversed) : strings;
    const sorted = [...new Set(read)].filter((one) => one !== '').sort();
    const most = 1 + sorted.reduce((n, one) => n + one.length, 0);
    this.#firstChild = new Int32Array(most + 1);
    this.#unit = new Uint16Array(most);
    this.#shorter = new Int32Array(most);
    this.#depth = new Int32Array(most);
    this.#longest = new Int32Array(most);
    this.build(sorted, most);
  }

  /** The state after one more code unit; 0 is the state before any. */
  step(state: number, unit: number): number {
    for (let from = state; ; from = this.#shorter[from]!) {
      const child = this.child(from, unit);
      if (child !== 0 || from === 0) return child;
    }
  }

  /** The length of the longest suffix of the text that is a prefix of one of the strings. */
  depth(state: number): number {
    return this.#depth[state]!;
  }

  /** The length of the longest of the strings that the text ends with; 0 if with none. */
  longest(state: number): number {
    return this.#longest[state]!;
  }

  /** 0 if there is none. */
  private child(state: number, unit: number): number {
    let low = this.#firstChild[state]!;
    let high = this.#firstChild[state + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.#unit[middle]!;
      if (found === unit) return middle;
      if (found < unit) low = middle + 1;
      else high = middle;
    }
    return 0;
  }

  /** Each state stands for a range of the sorted strings: those with its prefix. */
  private build(sorted: readonly string[], most: number): void {
    const begin = new Int32Array(most);
    const end = new Int32Array(most);
    end[0] = sorted.length;
    let states = 1;
    for (let state = 0; state < states; state++) {
      const depth = this.#depth[state]!;
      const stop = end[state]!;
      this.#firstChild[state] = states;
      let at = begin[state]!;
      if (at < stop && sorted[at]!.length === depth) at++; // the state itself
      while (at < stop) {
        const unit = sorted[at]!.charCodeAt(depth);
        const child = states++;
        this.#unit[child] = unit;
        begin[child] = at;
        while (at < stop && sorted[at]!.charCodeAt(depth) === unit) at++;
        end[child] = at;
        this.#depth[child] = depth + 1;
      }
      this.#firstChild[state + 1] = states;
      this.link(state, sorted, begin);
    }
  }

  /** For the children of a state. Their own children are neither known nor needed yet: the states that they fall back to are shorter. */
  private link(state: number, sorted: readonly string[], begin: Int32Array): void {
    for (let child = this.#firstChild[state]!; child < this.#firstChild[state + 1]!; child++) {
      const shorter = state === 0 ? 0 : this.step(this.#shorter[state]!, this.#unit[child]!);
      const depth = this.#depth[child]!;
      const isWhole = sorted[begin[child]!]!.length === depth;
      this.#shorter[child] = shorter;
      this.#longest[child] = isWhole ? depth : this.#longest[shorter]!;
    }
  }
}

function reversed(text: string): string {
  return text.split('').reverse().join('');
}
