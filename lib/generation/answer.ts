/**
 * The answer of a generation as it grows: tokens, each with the text that it has completed. A session keeps the ids that say
 * exactly this text.
 */
import type { TokenLogprob } from '../engine/engine-core.js';
import type { Detokenizer } from '../text/detokenizer.js';
import { TextAssembler } from './text-assembler.js';

export interface GeneratedToken {
  id: number;
  /** The text that became complete with this token; empty for special tokens and parts of characters. */
  text: string;
  /** Natural logarithm of the token's probability under the model, before sampling options act. */
  logprob: number;
  /** The likeliest tokens at this place, likeliest first, if `topLogprobs` asks for them. */
  top?: TokenLogprob[];
}

/** Text that is given out at once, and how many tokens there are with it. */
interface Piece {
  text: string;
  nTokens: number;
}

/** Where a token's text ends within the text of all tokens, and whether a character ends there. */
interface End {
  at: number;
  isWhole: boolean;
}

export class Answer {
  readonly tokens: GeneratedToken[] = [];
  readonly pieces: Piece[] = [];
  readonly #assembler: TextAssembler;
  readonly #ends: End[] = [];
  #isOver = false;

  constructor(detokenizer: Detokenizer, stops: readonly string[]) {
    this.#assembler = new TextAssembler(detokenizer, stops);
  }

  /** White space that the template writes before an answer and that a prompt leaves to the model: no part of the text. */
  set gap(gap: string) {
    this.#assembler.gap = gap;
  }

  /** Whether the answer began as the template would have begun it. */
  get followsTemplate(): boolean {
    return this.#assembler.followsTemplate;
  }

  /** Whether a stop string has been found. */
  get isStopped(): boolean {
    return this.#assembler.isStopped;
  }

  get text(): string {
    return this.tokens.map(({ text }) => text).join('');
  }

  /** Tokens whose text is known. The last token's text may still grow while some text is held back. */
  get nReady(): number {
    const nTokens = this.tokens.length;
    return this.#assembler.holds && !this.#isOver ? Math.max(0, nTokens - 1) : nTokens;
  }

  push({ id, logprob }: TokenLogprob, top: readonly TokenLogprob[]): void {
    const text = this.#assembler.push(id);
    this.#ends.push({ at: this.#assembler.nDecoded, isWhole: this.#assembler.isWhole });
    this.tokens.push({ id, text, logprob, ...(top.length === 0 ? {} : { top: [...top] }) });
    if (text !== '') this.pieces.push({ text, nTokens: this.tokens.length });
  }

  /** No more tokens come: text that was held back becomes part of the answer. */
  end(): void {
    if (this.#isOver) return;
    const rest = this.#assembler.end();
    const last = this.tokens.at(-1);
    if (last) {
      this.#ends[this.#ends.length - 1] = { at: this.#assembler.nDecoded, isWhole: true };
      this.tokens[this.tokens.length - 1] = { ...last, text: last.text + rest };
      if (rest !== '') this.pieces.push({ text: rest, nTokens: this.tokens.length });
    }
    this.#isOver = true;
  }

  /** The reader has left after so many tokens: later tokens are no part of the answer. */
  endAfter(nTokens: number): void {
    if (this.#isOver) return;
    this.tokens.length = Math.min(this.tokens.length, nTokens);
    while ((this.pieces.at(-1)?.nTokens ?? 0) > nTokens) this.pieces.pop();
    this.#isOver = true;
  }

  /** The ids that say the text and nothing else, as far as whole tokens go, and the `rest` of the text. */
  said(): { ids: Int32Array; rest: string } {
    const whole = this.#assembler.droppedGap + this.text;
    const last = this.#ends[this.tokens.length - 1];
    const limit = whole.length;
    let n = this.tokens.length;
    if (last && !(last.at === limit && last.isWhole && n === this.#ends.length)) {
      const sayTheSame = ({ at, isWhole }: End) => at === limit && isWhole;
      while (n > 0 && !(this.#ends[n - 1]!.at <= limit && this.#ends[n - 1]!.isWhole)) n--;
      while (n > 1 && sayTheSame(this.#ends[n - 1]!) && sayTheSame(this.#ends[n - 2]!)) n--;
    }
    const ids = Int32Array.from(this.tokens.slice(0, n), ({ id }) => id);
    return { ids, rest: whole.slice(this.#ends[n - 1]?.at ?? 0) };
  }
}
