/**
 * Cuts a template's source into tokens, as jinja2 does with trim_blocks and lstrip_blocks: a line end right after a block
 * is removed, and so are blanks before a block that begins a line; "-" beside a mark removes all blanks there, "+" keeps them.
 */
import { BLANK, strip } from './characters.js';
import { TemplateError, unsupported } from './errors.js';

export type TokenType =
  | 'data'
  | 'variable_begin'
  | 'variable_end'
  | 'block_begin'
  | 'block_end'
  | 'name'
  | 'string'
  | 'integer'
  | 'float'
  | 'operator'
  | 'end';

export interface Token {
  type: TokenType;
  value: string;
  line: number;
}

const BLANKS = new RegExp(`[${BLANK}]+`, 'y');
const RAW = new RegExp(`\\{%[-+]?[${BLANK}]*raw[${BLANK}]*(?:(-)%\\}|%\\})`, 'y');
const END_RAW = new RegExp(`\\{%([-+]?)[${BLANK}]*endraw[${BLANK}]*([-+]?)%\\}`, 'g');
const BEGIN = /\{[%{#]/g;
const FLOAT = /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const NAME = /[\p{L}\p{N}_]+/uy;
const STRING = /'([^'\\]*(?:\\[^][^'\\]*)*)'|"([^"\\]*(?:\\[^][^"\\]*)*)"/y;
const OPERATOR = /\/\/|\*\*|[=!<>]=|[-+/*%~[\](){}<>=.:|,;]/y;
const CLOSES: Record<string, string> = { '(': ')', '[': ']', '{': '}' };
const ESCAPES: Record<string, string> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

export function tokenize(source: string): Token[] {
  return new Lexer(source).run();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #lineStarts = true; // whether the text before this place ends a line
  #line = 1;
  #counted = 0; // lines are counted up to here

  constructor(source: string) {
    this.#source = source.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  }

  run(): Token[] {
    while (this.#at < this.#source.length) this.data();
    this.add('end', '');
    return this.#tokens;
  }

  /** Text up to the next mark, and the part that the mark begins. */
  private data(): void {
    BEGIN.lastIndex = this.#at;
    const begin = BEGIN.exec(this.#source);
    if (!begin) {
      this.add('data', this.#source.slice(this.#at));
      this.#at = this.#source.length;
      return;
    }
    const raw = this.match(RAW, begin.index);
    const sign = /[-+]/.exec(this.#source[begin.index + 2] ?? '')?.[0] ?? '';
    const isVariable = begin[0] === '{{';
    this.addText(this.#source.slice(this.#at, begin.index), sign, !isVariable);
    this.#at = begin.index + (raw ? raw[0].length : 2 + sign.length);
    if (raw) return this.raw(raw[1] !== undefined);
    if (begin[0] === '{#') return this.comment();
    const type = isVariable ? 'variable' : 'block';
    this.add(`${type}_begin`, begin[0]);
    this.inside(type);
  }

  private addText(text: string, sign: string, strips: boolean): void {
    let kept = text;
    if (sign === '-') kept = strip(text, undefined, 'right');
    else if (sign === '' && strips) {
      const lineAt = text.lastIndexOf('\n') + 1;
      const begins = lineAt > 0 || this.#lineStarts;
      if (begins && strip(text.slice(lineAt), undefined, 'both') === '')
        kept = text.slice(0, lineAt);
    }
    if (kept !== '') this.add('data', kept);
  }

  private raw(stripsAfter: boolean): void {
    if (stripsAfter) this.skipBlanks();
    this.#lineStarts = this.#source[this.#at - 1] === '\n';
    END_RAW.lastIndex = this.#at;
    const end = END_RAW.exec(this.#source);
    if (!end) throw this.error('the raw block has no end');
    this.addText(this.#source.slice(this.#at, end.index), end[1]!, true);
    this.afterBlock(end.index + end[0].length, end[2]!);
  }

  private comment(): void {
    const end = this.#source.indexOf('#}', this.#at);
    if (end < 0) throw this.error('the comment has no end');
    const sign = end > this.#at ? /[-+]/.exec(this.#source[end - 1]!)?.[0] : undefined;
    this.afterBlock(end + 2, sign ?? '');
  }

  /** `sign`: the sign before the mark that ends the block. */
  private afterBlock(at: number, sign: string): void {
    this.#at = at;
    if (sign === '-') this.skipBlanks();
    else if (sign === '' && this.#source[at] === '\n') this.#at++;
    this.#lineStarts = this.#source[this.#at - 1] === '\n';
  }

  /** The tokens of a block or a variable. Its end mark counts only if all brackets are closed. */
  private inside(type: 'block' | 'variable'): void {
    const open: string[] = [];
    const end = type === 'block' ? /([-+]?)%\}/y : /(-?)\}\}/y;
    for (;;) {
      this.skipBlanks();
      const found = open.length === 0 ? this.match(end) : null;
      if (found) {
        this.add(`${type}_end`, found[0]);
        const after = this.#at + found[0].length;
        // After a variable the line end stays.
        return this.afterBlock(after, type === 'variable' ? found[1] || '+' : found[1]!);
      }
      if (this.#at >= this.#source.length) throw this.error(`the ${type} has no end`);
      this.token(open);
    }
  }

  private token(open: string[]): void {
    let found: RegExpExecArray | null;
    if (this.#source[this.#at - 1] !== '.' && (found = this.match(FLOAT)))
      this.add('float', found[0].replaceAll('_', ''));
    else if ((found = this.match(INTEGER))) this.add('integer', found[0].replaceAll('_', ''));
    else if ((found = this.match(NAME))) {
      if (!/^[\p{ID_Start}_]/u.test(found[0])) throw this.error(`"${found[0]}" is no name`);
      this.add('name', found[0]);
    } else if ((found = this.match(STRING)))
      this.add('string', this.unescape(found[1] ?? found[2]!));
    else if ((found = this.match(OPERATOR))) {
      const closes = CLOSES[found[0]];
      if (closes) open.push(closes);
      else if (/[)\]}]/.test(found[0]) && open.pop() !== found[0])
        throw this.error(`unexpected "${found[0]}"`);
      this.add('operator', found[0]);
    } else throw this.error(`unexpected "${this.#source[this.#at]}"`);
    this.#at += found[0].length;
  }

  /** Python's escapes; a backslash before any other character stays. */
  private unescape(text: string): string {
    return text.replace(
      /\\(?:(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8}))|([0-7]{1,3})|([^]))/g,
      (whole, x?: string, u?: string, long?: string, octal?: string, other?: string) => {
        const code = octal === undefined ? parseInt(x ?? u ?? long ?? '', 16) : parseInt(octal, 8);
        if (code > 0x10ffff || /[xuU]/.test(other ?? ''))
          throw this.error(`"${whole}" is no character`);
        if (other === undefined) return String.fromCodePoint(code);
        if (other === 'N') throw unsupported('a character by name in a string');
        if (other > '\x7f') throw unsupported('a backslash before a letter that is not ASCII');
        return ESCAPES[other] ?? whole;
      },
    );
  }

  private match(pattern: RegExp, at = this.#at): RegExpExecArray | null {
    pattern.lastIndex = at;
    return pattern.exec(this.#source);
  }

  private skipBlanks(): void {
    this.#at += this.match(BLANKS)?.[0].length ?? 0;
  }

  private add(type: TokenType, value: string): void {
    this.#tokens.push({ type, value, line: this.lineHere() });
  }

  private lineHere(): number {
    for (; this.#counted < this.#at; this.#counted++)
      if (this.#source[this.#counted] === '\n') this.#line++;
    return this.#line;
  }

  private error(message: string): TemplateError {
    return new TemplateError(`line ${this.lineHere()}: ${message}`);
  }
}
