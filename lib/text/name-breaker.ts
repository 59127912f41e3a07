/**
 * Keeps text of users from being read as special tokens: "<|im_end|>" in a message must not end it. A mark goes into
 * every such name; the tokenizer looks for special tokens first, finds none, and then drops the marks. The mark is
 * random, of characters that Unicode keeps for private use inside programs, so nobody can write it.
 * See docs/decisions/0005. (A name of one character cannot be broken; no model that we know has one.)
 */
import { randomInt } from 'node:crypto';

import type { Step } from './vocabulary.js';

export const MARK = Array.from(
  { length: 8 },
  () => String.fromCharCode(0xfdd0 + randomInt(32)), // 32 noncharacters
).join('');

export class NameBreaker {
  readonly #mark: string;
  readonly #names: readonly string[];
  readonly #whole: RegExp | undefined;
  readonly #first: RegExp | undefined;
  readonly #prepare: (text: string) => string;

  /** `normalizer` is the tokenizer's: what it makes of a text must hold no name either. */
  constructor(names: readonly string[], normalizer?: Step | null, mark: string = MARK) {
    this.#mark = mark;
    this.#prepare = preparation(normalizer);
    this.#names = names.filter((name) => name.length > 1).sort((a, b) => b.length - a.length);
    if (this.#names.length === 0) return;
    this.#whole = new RegExp(this.#names.map(escapeRegExp).join('|'), 'g');
    const characters = new Set(this.#names.map((name) => name[0]!));
    this.#first = new RegExp([...characters].map(escapeRegExp).join('|'), 'g');
  }

  /** Whether a text could become part of a name at all. */
  mayMatter(text: string): boolean {
    return this.#first !== undefined && this.#prepare(text).search(this.#first) >= 0;
  }

  /** Marks whole names, and the beginning of one at the end of the text, which others might complete. */
  break(text: string): string {
    if (!this.#whole) return text;
    let broken = this.#prepare(text);
    // Again until nothing is found: names may overlap.
    while (broken.search(this.#whole) >= 0) broken = broken.replace(this.#whole, this.marked);
    const tail = this.#names.reduce((n, name) => Math.max(n, overlap(broken, name)), 0);
    return tail === 0 ? broken : broken.slice(0, -tail) + this.marked(broken.slice(-tail));
  }

  /** Marks every place where a name could begin: whatever is done with such a text, it holds no name. */
  breakAll(text: string): string {
    return this.#first ? this.#prepare(text).replace(this.#first, this.marked) : text;
  }

  /** Where the first unbroken name begins, or the length of the text. */
  first(text: string): number {
    const at = this.#whole ? text.search(this.#whole) : -1;
    return at < 0 ? text.length : at;
  }

  /** How many names a text holds that are not broken. */
  count(text: string): number {
    return this.#whole ? (text.match(this.#whole)?.length ?? 0) : 0;
  }

  /** The parts of a text between its marks. */
  pieces(text: string): string[] {
    return text.split(this.#mark);
  }

  /** Takes the marks out, then does what `preTokenizer` does: the first step after special tokens are found. */
  preTokenizer(preTokenizer: Step | null | undefined): Step {
    const unmark: Step = { type: 'Replace', pattern: { String: this.#mark }, content: '' };
    return { type: 'Sequence', pretokenizers: preTokenizer ? [unmark, preTokenizer] : [unmark] };
  }

  private readonly marked = (name: string): string => `${name[0]}${this.#mark}${name.slice(1)}`;
}

/** The longest end of `text` that begins `name`, without being all of it. */
function overlap(text: string, name: string): number {
  for (let n = Math.min(name.length - 1, text.length); n > 0; n--)
    if (text.endsWith(name.slice(0, n))) return n;
  return 0;
}

/** Normal forms and cases that turn other text into names are applied before names are looked for. */
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

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
