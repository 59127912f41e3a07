/** A list of tokens, and the questions that parsers ask about it. */
import { TemplateError } from './errors.js';
import type { Token, TokenType } from './lexer.js';

export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.#tokens[this.#at]!;
  }

  get following(): Token {
    return this.#tokens[Math.min(this.#at + 1, this.#tokens.length - 1)]!;
  }

  next(): Token {
    const token = this.current;
    if (token.type !== 'end') this.#at++;
    return token;
  }

  isOperator(value: string): boolean {
    return this.current.type === 'operator' && this.current.value === value;
  }

  isName(...names: string[]): boolean {
    return this.current.type === 'name' && names.includes(this.current.value);
  }

  skipOperator(value: string): boolean {
    const is = this.isOperator(value);
    if (is) this.next();
    return is;
  }

  skipName(name: string): boolean {
    const is = this.isName(name);
    if (is) this.next();
    return is;
  }

  expect(type: TokenType): Token {
    if (this.current.type !== type) throw this.unexpected(type.replace('_', ' '));
    return this.next();
  }

  expectOperator(value: string): void {
    if (!this.skipOperator(value)) throw this.unexpected(`"${value}"`);
  }

  expectName(name: string): void {
    if (!this.skipName(name)) throw this.unexpected(`"${name}"`);
  }

  unexpected(expected: string): TemplateError {
    const { type, value } = this.current;
    return this.error(
      `expected ${expected}, found ${type === 'end' ? 'the end of the template' : `"${value}"`}`,
    );
  }

  error(message: string, line = this.current.line): TemplateError {
    return new TemplateError(`line ${line}: ${message}`);
  }
}
