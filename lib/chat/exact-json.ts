/**
 * JSON as Python reads it, for templates that print the arguments of a tool call: keys keep their order, whole numbers keep all
 * digits, and 1.0 is not a whole number. JavaScript's own values keep none of this.
 */
import { endOfString, parseJson } from '../text/parse-json.js';

/** A boxed number has a fraction or an exponent in its text. It stays boxed on its way to a worker. */
export type ExactJson =
  string | boolean | number | bigint | null | object | ExactJson[] | Map<string, ExactJson>;

/** Throws invalid_argument if the text is not JSON, or is nested too deeply. */
export function parseExactJson(text: string): ExactJson {
  parseJson(text, 'it', 'invalid_argument');
  return new Reader(text).value();
}

/** Reads a text that is known to be JSON. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): ExactJson {
    const first = this.next();
    if (first === '{') return this.object();
    if (first === '[') return this.list();
    if (first === '"') return this.string();
    const word = /[^\s,\]}]+/y;
    word.lastIndex = this.#at;
    const [literal] = word.exec(this.#text)!;
    this.#at += literal.length;
    if (/^[tfn]/.test(literal)) return JSON.parse(literal) as boolean | null;
    if (/[.e]/i.test(literal)) return Object(Number(literal)) as object;
    const number = Number(literal);
    return Number.isSafeInteger(number) ? number + 0 : BigInt(literal); // -0 is 0
  }

  private object(): Map<string, ExactJson> {
    const map = new Map<string, ExactJson>();
    this.#at++;
    while (this.next() !== '}') {
      const key = this.string();
      this.skip(':');
      map.set(key, this.value());
      this.skip(',');
    }
    this.#at++;
    return map;
  }

  private list(): ExactJson[] {
    const list: ExactJson[] = [];
    this.#at++;
    while (this.next() !== ']') {
      list.push(this.value());
      this.skip(',');
    }
    this.#at++;
    return list;
  }

  private string(): string {
    const start = this.#at;
    this.#at = endOfString(this.#text, start) + 1;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  /** The next character that is not white space. */
  private next(): string {
    while (/\s/.test(this.#text[this.#at]!)) this.#at++;
    return this.#text[this.#at]!;
  }

  private skip(sign: string): void {
    if (this.next() === sign) {
      this.#at++;
      this.next();
    }
  }
}
