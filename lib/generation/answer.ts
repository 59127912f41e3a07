/**
 * The answer of a generation as it comes: tokens, and the text that they make. The text may begin with white space that
 * belongs to the template, and ends before a stop string; the ids that say exactly this text are what a session keeps.
 */
import type { TokenLogprob } from '../engine/engine-core.js';
import type { Detokenizer } from '../text/detokenizer.js';
import { StopStrings } from '../text/stop-strings.js';

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

/** Where a token's text ends in that of all tokens, and whether a character ends there. */
interface End {
  at: number;
  isWhole: boolean;
}

export class Answer {
  readonly tokens: GeneratedToken[] = [];
  readonly pieces: Piece[] = [];
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;
  readonly #ends: End[] = [];
  #gap = '';
  #beginning: string | undefined = ''; // as long as it may be the gap's
  #dropped = 0; // characters of the gap
  #isOver = false;

  constructor(detokenizer: Detokenizer, stops: readonly string[]) {
    this.#detokenizer = detokenizer;
    this.#stops = new StopStrings(stops);
  }

  /** White space that the template writes before an answer, and a prompt leaves to the model: no part of the text. */
  set gap(gap: string) {
    this.#gap = gap;
  }

  /** Whether the answer began as the template would have begun it. */
  get followsTemplate(): boolean {
    return this.#dropped === this.#gap.length;
  }

  /** Whether a stop string has been found. */
  get isStopped(): boolean {
    return this.#stops.found;
  }

  get text(): string {
    return this.tokens.map(({ text }) => text).join('');
  }

  /** Tokens whose text is known: that of the last may still grow while something is held back. */
  get nReady(): number {
    const holds =
      this.#beginning !== undefined || this.#stops.holds || this.#ends.at(-1)?.isWhole === false;
    return holds && !this.#isOver ? Math.max(0, this.tokens.length - 1) : this.tokens.length;
  }

  push({ id, logprob }: TokenLogprob, top: readonly TokenLogprob[]): void {
    const raw = this.#detokenizer.push(id);
    this.#ends.push({
      at: (this.#ends.at(-1)?.at ?? 0) + raw.length,
      isWhole: this.#detokenizer.isWhole,
    });
    const text = this.#stops.push(this.withoutGap(raw));
    this.tokens.push({ id, text, logprob, ...(top.length === 0 ? {} : { top: [...top] }) });
    if (text !== '') this.pieces.push({ text, nTokens: this.tokens.length });
  }

  /** No more tokens come: what was held back is part of the text. */
  end(): void {
    if (this.#isOver) return;
    const raw = this.#detokenizer.end();
    const beginning = this.#beginning ?? '';
    this.#beginning = undefined;
    const rest = this.#stops.push(beginning + raw) + this.#stops.end();
    const [last, end] = [this.tokens.at(-1), this.#ends.at(-1)];
    if (last && end) {
      this.#ends[this.#ends.length - 1] = { at: end.at + raw.length, isWhole: true };
      this.tokens[this.tokens.length - 1] = { ...last, text: last.text + rest };
      if (rest !== '') this.pieces.push({ text: rest, nTokens: this.tokens.length });
    }
    this.#isOver = true;
  }

  /** Its reader has left after so many tokens: nothing that comes later was said. */
  endAfter(nTokens: number): void {
    if (this.#isOver) return;
    this.tokens.length = Math.min(this.tokens.length, nTokens);
    while ((this.pieces.at(-1)?.nTokens ?? 0) > nTokens) this.pieces.pop();
    this.#isOver = true;
  }

  /** The ids that say the text and nothing else, as far as whole tokens go, and the `rest` of it. */
  said(): { ids: Int32Array; rest: string } {
    const { text } = this;
    const last = this.#ends[this.tokens.length - 1];
    const limit = this.#dropped + text.length;
    let n = this.tokens.length;
    if (last && !(last.at === limit && last.isWhole && n === this.#ends.length)) {
      const sayTheSame = ({ at, isWhole }: End) => at === limit && isWhole;
      while (n > 0 && !(this.#ends[n - 1]!.at <= limit && this.#ends[n - 1]!.isWhole)) n--;
      while (n > 1 && sayTheSame(this.#ends[n - 1]!) && sayTheSame(this.#ends[n - 2]!)) n--;
    }
    const ids = Int32Array.from(this.tokens.slice(0, n), ({ id }) => id);
    const whole = this.#gap.slice(0, this.#dropped) + text;
    return { ids, rest: whole.slice(this.#ends[n - 1]?.at ?? 0) };
  }

  private withoutGap(raw: string): string {
    if (this.#beginning === undefined) return raw;
    const text = this.#beginning + raw;
    const isOpen = text.length < this.#gap.length && this.#gap.startsWith(text);
    this.#beginning = isOpen ? text : undefined;
    if (isOpen) return '';
    if (text.startsWith(this.#gap)) this.#dropped = this.#gap.length;
    return text.slice(this.#dropped);
  }
}
