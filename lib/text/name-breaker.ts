/**
 * Keeps users' text from being read as special tokens: "<|im_end|>" in a message must not end it. A mark is put into
 * every such name; the tokenizer looks for special tokens first, finds none, and then drops the marks. The mark is
 * random, of characters that Unicode keeps for private use inside programs, so nobody can write it.
 * See docs/decisions/0005. (A name of one character cannot be broken; no model that we know has one.)
 */
import { randomInt } from 'node:crypto';

import { StringAutomaton } from './string-automaton.js';
import type { Step } from './vocabulary.js';

export const MARK = Array.from(
  { length: 8 },
  () => String.fromCharCode(0xfdd0 + randomInt(32)), // 32 noncharacters
).join('');

/** A text of a user, as a template may see it. */
export interface ProtectedText {
  /** With its names broken. */
  broken: string;
  /** With every place broken where a name could begin: no name can be made of it, however it is cut and joined. */
  strict: string;
}

export class NameBreaker {
  readonly #mark: string;
  readonly #forwards: StringAutomaton;
  readonly #backwards: StringAutomaton;
  readonly #longest: number;
  readonly #first: ReadonlySet<number>; // code units with which a name begins
  readonly #prepare: (text: string) => string;

  /** `normalizer` is the tokenizer's: the text that it makes must contain no name either. */
  constructor(given: readonly string[], normalizer?: Step | null, mark: string = MARK) {
    const names = given.filter((name) => name.length > 1);
    this.#mark = mark;
    this.#prepare = preparation(normalizer);
    this.#forwards = new StringAutomaton(names);
    this.#backwards = new StringAutomaton(names, true);
    this.#longest = names.reduce((n, name) => Math.max(n, name.length), 0);
    this.#first = new Set(names.map((name) => name.charCodeAt(0)));
  }

  /** The forms of a text that a template may see: with and without its harmless beginnings of names. */
  protect(text: string): ProtectedText {
    return { broken: this.break(text), strict: this.breakAll(text) };
  }

  /** Marks whole names, and the beginning of a name at the end of the text, which later text might complete. */
  break(text: string): string {
    if (this.#longest === 0) return text;
    const prepared = this.#prepare(text);
    const places: number[] = [];
    const lengths = this.nameLengths(prepared);
    const { length } = prepared;
    for (let i = 0; i < length; i++) if (lengths[i]! > 0) places.push(i + 1);
    let state = 0;
    for (let i = Math.max(places.at(-1) ?? 0, length - this.#longest); i < length; i++)
      state = this.#forwards.step(state, prepared.charCodeAt(i));
    const tail = this.#forwards.depth(state);
    if (tail > 0) places.push(length - tail + 1);
    return this.marked(prepared, places);
  }

  /** Marks every place where a name could begin: whatever is done with such a text, it contains no name. */
  breakAll(text: string): string {
    if (this.#longest === 0) return text;
    const prepared = this.#prepare(text);
    const places: number[] = [];
    for (let i = 0; i < prepared.length; i++)
      if (this.#first.has(prepared.charCodeAt(i))) places.push(i + 1);
    return this.marked(prepared, places);
  }

  /** Where the first unbroken name begins, or the length of the text. */
  first(text: string): number {
    const at = this.nameLengths(text).findIndex((length) => length > 0);
    return at < 0 ? text.length : at;
  }

  /** The number of unbroken names in a text. */
  count(text: string): number {
    const lengths = this.nameLengths(text);
    let n = 0;
    for (let at = 0; at < lengths.length; at += lengths[at]! || 1) if (lengths[at]! > 0) n++;
    return n;
  }

  /** The parts of a text between its marks. */
  pieces(text: string): string[] {
    return text.split(this.#mark);
  }

  /** Removes the marks, then runs `preTokenizer`: the first step after special tokens are found. */
  preTokenizer(preTokenizer: Step | null | undefined): Step {
    const unmark: Step = { type: 'Replace', pattern: { String: this.#mark }, content: '' };
    return { type: 'Sequence', pretokenizers: preTokenizer ? [unmark, preTokenizer] : [unmark] };
  }

  /** For each place of a text the length of the longest name that begins there, or 0. */
  private nameLengths(text: string): Uint16Array {
    const lengths = new Uint16Array(text.length); // a name is shorter than 2^16, see name-limits.ts
    if (this.#longest === 0) return lengths;
    let state = 0;
    for (let i = text.length - 1; i >= 0; i--) {
      state = this.#backwards.step(state, text.charCodeAt(i));
      lengths[i] = this.#backwards.longest(state);
    }
    return lengths;
  }

  private marked(text: string, places: readonly number[]): string {
    if (places.length === 0) return text;
    const pieces = places.map((end, i) => text.slice(places[i - 1] ?? 0, end));
    return [...pieces, text.slice(places.at(-1))].join(this.#mark);
  }
}

/** Normal forms and lower case can turn other text into names, so they are applied before names are searched. */
function preparation(normalizer: Step | null | undefined): (text: string) => string {
  const types = new Set<string>();
  const collect = (step: Step | null | undefined) => {
    if (!step) return;
    types.add(step.type ?? '');
    step.normalizers?.forEach(collect);
  };
  collect(normalizer);
  const form = (['NFKC', 'NFKD'] as const).find((name) => types.has(name));
  const lower = types.has('Lowercase');
  return (text) => {
    const normal = form ? text.normalize(form) : text;
    return lower ? normal.toLowerCase() : normal;
  };
}
