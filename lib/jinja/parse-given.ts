/** The arguments of a call. */
import type { Expression, Given } from './syntax.js';
import type { TokenStream } from './token-stream.js';

export class GivenParser {
  readonly given: Given = { positional: [], named: [], list: null, dict: null };
  readonly #tokens: TokenStream;
  readonly #expression: () => Expression;

  constructor(tokens: TokenStream, expression: () => Expression) {
    this.#tokens = tokens;
    this.#expression = expression;
  }

  /** One argument at the current token. */
  argument(): void {
    const { current, following } = this.#tokens;
    const ensure = (isRight: boolean) => {
      if (!isRight) throw this.#tokens.error('arguments are in the wrong order');
    };
    if (this.#tokens.skipOperator('*')) {
      ensure(!this.given.list && !this.given.dict);
      this.given.list = this.#expression();
    } else if (this.#tokens.skipOperator('**')) {
      ensure(!this.given.dict);
      this.given.dict = this.#expression();
    } else if (
      current.type === 'name' &&
      following.type === 'operator' &&
      following.value === '='
    ) {
      ensure(!this.given.dict);
      this.#tokens.next();
      this.#tokens.next();
      this.given.named.push([current.value, this.#expression()]);
    } else {
      ensure(!this.given.list && !this.given.dict && this.given.named.length === 0);
      this.given.positional.push(this.#expression());
    }
  }
}
