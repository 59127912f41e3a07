/** Parses expressions with jinja2's own precedence: "-" binds tighter than "|" and "**", and "**" groups from the left. */
import { GivenParser } from './parse-given.js';
import type { Comparison, Expression, Given, Operator } from './syntax.js';
import type { TokenStream } from './token-stream.js';

const CONSTANTS: Record<string, boolean | null> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];

/** How a tuple without brackets may be parsed. */
interface TupleOptions {
  /** Whether "a if b else c" is allowed in it. */
  conditions?: boolean;
  /** Keywords that end it. */
  ends?: string[];
  /** Whether it may be empty. */
  bracketed?: boolean;
}

export class ExpressionParser {
  protected readonly tokens: TokenStream;

  constructor(tokens: TokenStream) {
    this.tokens = tokens;
  }

  expression(conditions = true): Expression {
    return conditions ? this.condition() : this.or();
  }

  /** One expression, or a tuple of several, separated by commas. */
  tuple({ conditions = true, ends = [], bracketed = false }: TupleOptions = {}): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0) this.tokens.expectOperator(',');
      if (this.isTupleEnd(ends)) break;
      items.push(this.expression(conditions));
      if (!this.tokens.isOperator(',')) break;
      isTuple = true;
    }
    if (!isTuple && items.length > 0) return items[0]!;
    if (!isTuple && !bracketed) throw this.tokens.unexpected('an expression');
    return { type: 'tuple', items };
  }

  protected isTupleEnd(ends: string[]): boolean {
    const { type } = this.tokens.current;
    const isEnd = type === 'variable_end' || type === 'block_end' || this.tokens.isOperator(')');
    return isEnd || this.tokens.isName(...ends);
  }

  private condition(): Expression {
    let result = this.or();
    while (this.tokens.skipName('if')) {
      const test = this.or();
      const otherwise = this.tokens.skipName('else') ? this.condition() : null;
      result = { type: 'condition', test, then: result, otherwise };
    }
    return result;
  }

  private or(): Expression {
    let left = this.and();
    while (this.tokens.skipName('or')) left = { type: 'or', left, right: this.and() };
    return left;
  }

  private and(): Expression {
    let left = this.not();
    while (this.tokens.skipName('and')) left = { type: 'and', left, right: this.not() };
    return left;
  }

  private not(): Expression {
    return this.tokens.skipName('not') ? { type: 'not', of: this.not() } : this.comparison();
  }

  private comparison(): Expression {
    const first = this.sum();
    const rest: [Comparison, Expression][] = [];
    for (;;) {
      const comparison = this.comparisonHere();
      if (!comparison) break;
      rest.push([comparison, this.sum()]);
    }
    return rest.length === 0 ? first : { type: 'comparison', first, rest };
  }

  private comparisonHere(): Comparison | undefined {
    const { type, value } = this.tokens.current;
    if (type === 'operator' && COMPARISONS.includes(value))
      return this.tokens.next().value as Comparison;
    if (this.tokens.skipName('in')) return 'in';
    const { following } = this.tokens;
    if (!this.tokens.isName('not') || following.type !== 'name' || following.value !== 'in')
      return undefined;
    this.tokens.next();
    this.tokens.next();
    return 'not in';
  }

  private sum = () => this.leftToRight(['+', '-'], () => this.concatenation());

  private concatenation(): Expression {
    const parts = [this.product()];
    while (this.tokens.skipOperator('~')) parts.push(this.product());
    return parts.length === 1 ? parts[0]! : { type: 'concatenation', parts };
  }

  private product = () => this.leftToRight(['*', '/', '//', '%'], () => this.power());

  private power = () => this.leftToRight(['**'], () => this.unary(true));

  private leftToRight(operators: string[], operand: () => Expression): Expression {
    let left = operand();
    while (operators.some((one) => this.tokens.isOperator(one))) {
      const operator = this.tokens.next().value as Operator;
      left = { type: 'arithmetic', operator, left, right: operand() };
    }
    return left;
  }

  private unary(filters: boolean): Expression {
    let result: Expression;
    if (this.tokens.skipOperator('-')) result = { type: 'negative', of: this.unary(false) };
    else if (this.tokens.skipOperator('+')) result = { type: 'positive', of: this.unary(false) };
    else result = this.primary();
    result = this.postfix(result);
    return filters ? this.filtersAndTests(result) : result;
  }

  private primary(): Expression {
    const { type, value } = this.tokens.current;
    if (type === 'name') {
      this.tokens.next();
      const constant = Object.hasOwn(CONSTANTS, value) ? CONSTANTS[value] : undefined;
      if (constant !== undefined) return { type: 'constant', value: constant };
      return { type: 'name', name: value };
    }
    if (type === 'string') {
      let text = '';
      while (this.tokens.current.type === 'string') text += this.tokens.next().value;
      return { type: 'constant', value: text };
    }
    if (type === 'integer') return { type: 'constant', value: integer(this.tokens.next().value) };
    if (type === 'float') return { type: 'float', value: Number(this.tokens.next().value) };
    if (this.tokens.skipOperator('(')) {
      const inner = this.tuple({ bracketed: true });
      this.tokens.expectOperator(')');
      return inner;
    }
    if (this.tokens.skipOperator('['))
      return { type: 'list', items: this.until(']', () => this.expression()) };
    if (this.tokens.skipOperator('{')) return { type: 'dict', pairs: this.until('}', this.pair) };
    throw this.tokens.unexpected('an expression');
  }

  private pair = (): [Expression, Expression] => {
    const key = this.expression();
    this.tokens.expectOperator(':');
    return [key, this.expression()];
  };

  /** Items separated by commas, possibly with a comma after the last. */
  private until<T>(end: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.tokens.isOperator(end)) {
      if (items.length > 0) this.tokens.expectOperator(',');
      if (this.tokens.isOperator(end)) break;
      items.push(item());
    }
    this.tokens.expectOperator(end);
    return items;
  }

  private postfix(of: Expression): Expression {
    let result = of;
    for (;;) {
      if (this.tokens.skipOperator('.')) result = this.attribute(result);
      else if (this.tokens.skipOperator('[')) result = this.item(result);
      else if (this.tokens.isOperator('('))
        result = { type: 'call', callee: result, given: this.given() };
      else return result;
    }
  }

  private attribute(of: Expression): Expression {
    const { type, value } = this.tokens.next();
    if (type === 'name') return { type: 'attribute', of, name: value };
    if (type !== 'integer') throw this.tokens.error('expected a name or a number after "."');
    return { type: 'item', of, key: { type: 'constant', value: integer(value) } };
  }

  private item(of: Expression): Expression {
    const keys: Expression[] = [];
    while (!this.tokens.isOperator(']')) {
      if (keys.length > 0) this.tokens.expectOperator(',');
      keys.push(this.key());
    }
    this.tokens.expectOperator(']');
    const key: Expression = keys.length === 1 ? keys[0]! : { type: 'tuple', items: keys };
    return { type: 'item', of, key };
  }

  private key(): Expression {
    const part = () =>
      this.tokens.isOperator(':') || this.tokens.isOperator(']') || this.tokens.isOperator(',')
        ? null
        : this.expression();
    const start = part();
    if (start && !this.tokens.isOperator(':')) return start;
    this.tokens.expectOperator(':');
    const stop = part();
    const step = this.tokens.skipOperator(':') ? part() : null;
    return { type: 'slice', start, stop, step };
  }

  private filtersAndTests(of: Expression): Expression {
    let result = of;
    for (;;) {
      if (this.tokens.isOperator('|')) result = this.filter(result);
      else if (this.tokens.isName('is')) result = this.test(result);
      else if (this.tokens.isOperator('('))
        result = { type: 'call', callee: result, given: this.given() };
      else return result;
    }
  }

  /** Starts at a "|", or at the name of a filter if `begun`. */
  protected filter(of: Expression | null, begun = false): Expression & { type: 'filter' } {
    if (!begun) this.tokens.expectOperator('|');
    const { line } = this.tokens.current;
    const name = this.dottedName();
    return { type: 'filter', of, name, given: this.givenIfAny(), line };
  }

  private test(of: Expression): Expression {
    const { line } = this.tokens.next();
    const negated = this.tokens.skipName('not');
    const name = this.dottedName();
    const { type, value } = this.tokens.current;
    let given = this.givenIfAny();
    const begins =
      ['string', 'integer', 'float'].includes(type) ||
      (type === 'operator' && '[{'.includes(value)) ||
      (type === 'name' && !['else', 'or', 'and'].includes(value));
    if (type !== 'operator' || value !== '(') {
      if (this.tokens.isName('is')) throw this.tokens.error('tests cannot be chained');
      if (begins) given = { ...NOTHING, positional: [this.postfix(this.primary())] };
    }
    const test: Expression = { type: 'test', of, name, given, line };
    return negated ? { type: 'not', of: test } : test;
  }

  private dottedName(): string {
    let name = this.tokens.expect('name').value;
    while (this.tokens.skipOperator('.')) name += `.${this.tokens.expect('name').value}`;
    return name;
  }

  private givenIfAny(): Given {
    return this.tokens.isOperator('(') ? this.given() : NOTHING;
  }

  private given(): Given {
    this.tokens.expectOperator('(');
    const given = new GivenParser(this.tokens, () => this.expression());
    this.until(')', () => given.argument());
    return given.given;
  }
}

const NOTHING: Given = { positional: [], named: [], list: null, dict: null };

function integer(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}
