/**
 * Keeps text of users from being read as special tokens: "<|im_end|>" in a message must not end it. A mark goes into
 * every such name; the tokenizer looks for special tokens first, finds none, and then drops the marks. The mark is
 * random, of characters that Unicode keeps for private use inside programs, so nobody can write it.
 */
import { randomInt } from 'node:crypto';

import type { Step } from './vocabulary.js';

export const MARK = Array.from(
  { length: 8 },
  () => String.fromCharCode(0xfdd0 + randomInt(32)), // 32 noncharacters
).join('');

export class NameBreaker {
  readonly #names: RegExp | undefined;
  readonly #mark: string;

  constructor(names: readonly string[], mark: string = MARK) {
    this.#mark = mark;
    const longestFirst = names
      .filter((name) => name.length > 1)
      .sort((a, b) => b.length - a.length);
    if (longestFirst.length > 0)
      this.#names = new RegExp(longestFirst.map(escapeRegExp).join('|'), 'g');
  }

  break(text: string): string {
    if (!this.#names) return text;
    let broken = text;
    // Again until nothing is found: names may overlap.
    while (broken.search(this.#names) >= 0)
      broken = broken.replace(this.#names, (name) => `${name[0]}${this.#mark}${name.slice(1)}`);
    return broken;
  }

  /** Takes the marks out, then does what `preTokenizer` does: the first step after special tokens are found. */
  preTokenizer(preTokenizer: Step | null | undefined): Step {
    const unmark: Step = { type: 'Replace', pattern: { String: this.#mark }, content: '' };
    return { type: 'Sequence', pretokenizers: preTokenizer ? [unmark, preTokenizer] : [unmark] };
  }
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
