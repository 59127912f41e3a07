/**
 * Makes the text of an answer from its tokens as they come: it turns bytes into characters, removes the gap before the answer, and
 * ends the text before a stop string. Text that is given out is final: text that may turn out to be no part of the answer is held back.
 */
import type { Detokenizer } from '../text/detokenizer.js';
import { StopStrings } from '../text/stop-strings.js';

export class TextAssembler {
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;
  #gap = '';
  #beginning: string | undefined = ''; // as long as it may belong to the gap
  #nDropped = 0; // characters of the gap
  #nDecoded = 0;

  constructor(detokenizer: Detokenizer, stops: readonly string[]) {
    this.#detokenizer = detokenizer;
    this.#stops = new StopStrings(stops);
  }

  /** White space that the template writes before an answer and that a prompt leaves to the model: no part of the text. */
  set gap(gap: string) {
    this.#gap = gap;
  }

  /** Whether the answer began with the gap. */
  get followsTemplate(): boolean {
    return this.#nDropped === this.#gap.length;
  }

  /** The part of the gap with which the answer began. */
  get droppedGap(): string {
    return this.#gap.slice(0, this.#nDropped);
  }

  /** Whether a stop string has been found. */
  get isStopped(): boolean {
    return this.#stops.found;
  }

  /** How many characters the tokens so far have, the gap and stop strings included. */
  get nDecoded(): number {
    return this.#nDecoded;
  }

  /** Whether the last token ended a character. */
  get isWhole(): boolean {
    return this.#detokenizer.isWhole;
  }

  /** Whether the text of tokens so far may still grow. */
  get holds(): boolean {
    return this.#beginning !== undefined || this.#stops.holds || !this.isWhole;
  }

  /** The text that is certain after this token; may be empty. */
  push(id: number): string {
    const decoded = this.#detokenizer.push(id);
    this.#nDecoded += decoded.length;
    return this.#stops.push(this.withoutGap(decoded));
  }

  /** No more tokens come: text that was held back becomes part of the answer. */
  end(): string {
    const decoded = this.#detokenizer.end();
    this.#nDecoded += decoded.length;
    const beginning = this.#beginning ?? '';
    this.#beginning = undefined;
    return this.#stops.push(beginning + decoded) + this.#stops.end();
  }

  private withoutGap(decoded: string): string {
    if (this.#beginning === undefined) return decoded;
    const text = this.#beginning + decoded;
    const isOpen = text.length < this.#gap.length && this.#gap.startsWith(text);
    this.#beginning = isOpen ? text : undefined;
    if (isOpen) return '';
    if (text.startsWith(this.#gap)) this.#nDropped = this.#gap.length;
    return text.slice(this.#nDropped);
  }
}
