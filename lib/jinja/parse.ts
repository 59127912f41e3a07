/** Parses a template's source into statements. */
import { TemplateError } from './errors.js';
import { tokenize } from './lexer.js';
import { ExpressionParser } from './parse-expression.js';
import type { Expression, Filter, For, Parameter, Statement, Target } from './syntax.js';
import { TokenStream } from './token-stream.js';

/** jinja2's tags that concern other templates or HTML, which are refused. */
const OTHERS = ['include', 'import', 'from', 'extends', 'block', 'autoescape', 'print'];

export function parse(source: string): Statement[] {
  return new Parser(new TokenStream(tokenize(source))).template();
}

class Parser extends ExpressionParser {
  /** Whether "break" has a loop to end; the body of a macro is not inside the loop around the macro. */
  #inLoop = false;

  template(): Statement[] {
    const { body, end } = this.statements([]);
    if (end !== '') throw this.tokens.error(`unknown tag "${end}"`);
    return body;
  }

  /** Up to a tag that is one of `ends`, or to the end of the template. */
  private statements(ends: string[]): { body: Statement[]; end: string } {
    const body: Statement[] = [];
    for (;;) {
      const { type, value, line } = this.tokens.next();
      if (type === 'data') body.push({ type: 'text', text: value, line });
      else if (type === 'variable_begin') {
        body.push({ type: 'print', value: this.tuple(), line });
        this.tokens.expect('variable_end');
      } else if (type === 'block_begin') {
        if (this.tokens.isName(...ends)) return { body, end: this.tokens.next().value };
        body.push(this.statement(line));
        this.tokens.expect('block_end');
      } else if (ends.length === 0) return { body, end: '' };
      else throw this.tokens.error(`the template ends where "${ends.join('" or "')}" is missing`);
    }
  }

  /** The rest of a tag that begins a body, the body, and the name of the tag that ends it. */
  private blockUntil(...ends: string[]): { body: Statement[]; end: string } {
    this.tokens.skipOperator(':');
    this.tokens.expect('block_end');
    return this.statements(ends);
  }

  private block(end: string, inLoop = this.#inLoop): Statement[] {
    const outer = this.#inLoop;
    this.#inLoop = inLoop;
    const { body } = this.blockUntil(end);
    this.#inLoop = outer;
    return body;
  }

  private statement(line: number): Statement {
    const name = this.tokens.expect('name').value;
    switch (name) {
      case 'set':
        return this.set(line);
      case 'if':
        return this.if(line);
      case 'for':
        return this.for(line);
      case 'break':
      case 'continue':
        if (!this.#inLoop) throw this.tokens.error(`"${name}" outside of a loop`);
        return { type: name, line };
      case 'macro': {
        const macro = this.tokens.expect('name').value;
        const parameters = this.parameters();
        return {
          type: 'macro',
          name: macro,
          parameters,
          body: this.block('endmacro', false),
          line,
        };
      }
      case 'call':
        return this.call(line);
      case 'filter': {
        const filter = this.filterChain(this.filter(null, true));
        return { type: 'filter block', filter, body: this.block('endfilter'), line };
      }
      case 'with':
        return this.with(line);
      case 'generation':
        return { type: 'generation', body: this.block('endgeneration', false), line };
      default:
        throw this.tokens.error(
          OTHERS.includes(name) ? `the tag "${name}" is not supported` : `unknown tag "${name}"`,
          line,
        );
    }
  }

  private set(line: number): Statement {
    const target = this.target([], true);
    if (this.tokens.skipOperator('=')) return { type: 'set', target, value: this.tuple(), line };
    const filter = this.tokens.isOperator('|') ? this.filterChain(this.filter(null)) : null;
    return { type: 'set block', target, filter, body: this.block('endset'), line };
  }

  private filterChain(first: Filter): Filter {
    let filter = first;
    while (this.tokens.isOperator('|')) filter = this.filter(filter);
    return filter;
  }

  private if(line: number): Statement {
    const branches: { test: Expression; body: Statement[] }[] = [];
    for (;;) {
      const test = this.tuple({ conditions: false });
      const { body, end } = this.blockUntil('elif', 'else', 'endif');
      branches.push({ test, body });
      if (end === 'elif') continue;
      const otherwise = end === 'else' ? this.block('endif') : [];
      return { type: 'if', branches, otherwise, line };
    }
  }

  private for(line: number): For {
    const target = this.target(['in']);
    this.tokens.expectName('in');
    const items = this.tuple({ conditions: false, ends: ['recursive'] });
    const test = this.tokens.skipName('if') ? this.expression() : null;
    const recursive = this.tokens.skipName('recursive');
    const outer = this.#inLoop;
    this.#inLoop = true;
    const { body, end } = this.blockUntil('endfor', 'else');
    this.#inLoop = outer;
    const otherwise = end === 'else' ? this.block('endfor') : [];
    return { type: 'for', target, items, test, recursive, body, otherwise, line };
  }

  private call(line: number): Statement {
    const parameters = this.tokens.isOperator('(') ? this.parameters() : [];
    const call = this.expression();
    if (call.type !== 'call') throw this.tokens.error('expected a call', line);
    return { type: 'call block', call, parameters, body: this.block('endcall', false), line };
  }

  private with(line: number): Statement {
    const pairs: [Target, Expression][] = [];
    while (this.tokens.current.type !== 'block_end') {
      if (pairs.length > 0) this.tokens.expectOperator(',');
      const target = this.target();
      this.tokens.expectOperator('=');
      pairs.push([target, this.expression()]);
    }
    return { type: 'with', pairs, body: this.block('endwith'), line };
  }

  private parameters(): Parameter[] {
    const parameters: Parameter[] = [];
    this.tokens.expectOperator('(');
    while (!this.tokens.isOperator(')')) {
      if (parameters.length > 0) this.tokens.expectOperator(',');
      const { value: name } = this.tokens.expect('name');
      checkTarget(name);
      const initial = this.tokens.skipOperator('=') ? this.expression() : null;
      if (!initial && parameters.at(-1)?.default)
        throw this.tokens.error(`the parameter "${name}" needs a default, as those before it have`);
      if (parameters.some((one) => one.name === name))
        throw this.tokens.error(`the parameter "${name}" stands there twice`);
      parameters.push({ name, default: initial });
    }
    this.tokens.expectOperator(')');
    return parameters;
  }

  /** The target of an assignment: one name, or several separated by commas. */
  private target(ends: string[] = [], fields = false): Target {
    const items: Target[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0) this.tokens.expectOperator(',');
      if (this.isTupleEnd(ends)) break;
      items.push(this.oneTarget(fields));
      if (!this.tokens.isOperator(',')) break;
      isTuple = true;
    }
    if (!isTuple && items.length > 0) return items[0]!;
    if (items.length === 0) throw this.tokens.unexpected('a name');
    return { type: 'targets', items };
  }

  private oneTarget(fields: boolean): Target {
    if (this.tokens.skipOperator('(')) {
      const inner = this.target();
      this.tokens.expectOperator(')');
      return inner;
    }
    const { value: name } = this.tokens.expect('name');
    if (fields && this.tokens.skipOperator('.'))
      return { type: 'field', name, field: this.tokens.expect('name').value };
    checkTarget(name);
    return { type: 'name', name };
  }
}

const FIXED = ['true', 'false', 'none', 'True', 'False', 'None', 'loop', 'self', 'caller'];

/** These names are not variables. Python allows assigning to some of them, but no template needs that. */
function checkTarget(name: string): void {
  if (FIXED.includes(name)) throw new TemplateError(`"${name}" cannot be assigned to`);
}
