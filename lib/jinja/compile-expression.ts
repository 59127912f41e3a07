/** Compiles expressions to functions: a template is parsed once and rendered often. */
import { attributeOf, itemOf } from './access.js';
import { NO_ARGUMENTS } from './arguments.js';
import { chargeItems, collect, joined, step } from './budget.js';
import { TemplateError } from './errors.js';
import { findFilter } from './filters.js';
import type { Language } from './language.js';
import { negate } from './numbers.js';
import { arithmetic, compare, isTrue, iterate } from './operators.js';
import { print } from './print.js';
import type { Scope } from './scope.js';
import type { Call, Expression, Filter, Given } from './syntax.js';
import { findTest } from './tests.js';
import {
  Callable,
  Dict,
  Float,
  Opaque,
  Slice,
  Tuple,
  Undefined,
  isNumber,
  toText,
  typeName,
  wrongType,
} from './values.js';
import type { Arguments, Value } from './values.js';

const LANGUAGE: Language = { filter: findFilter, test: findTest };

export type Evaluate = (scope: Scope) => Value;

export function call(callee: Value, given: Arguments): Value {
  step();
  if (callee instanceof Callable || callee instanceof Opaque) return callee.call(given);
  if (callee instanceof Undefined) throw new TemplateError(callee.message);
  throw new TemplateError(`'${typeName(callee)}' object is not callable`);
}

/** Which of the names that a macro has without declaring them are used in it. */
export type Used = Set<string>;

export class ExpressionCompiler {
  /**
   * Whether the compiled expression stands under a condition. Only there may a filter or test be unknown, as long as it is not used:
   * such templates ask first whether it exists.
   */
  protected conditional = false;
  /** Names that are used in the enclosing macros. */
  protected readonly used: Used[] = [];

  protected under<T>(conditional: boolean, compile: () => T): T {
    const outer = this.conditional;
    this.conditional = conditional;
    const made = compile();
    this.conditional = outer;
    return made;
  }

  protected expression(source: Expression): Evaluate {
    switch (source.type) {
      case 'constant': {
        const { value } = source;
        return () => value;
      }
      case 'float': {
        const value = new Float(source.value);
        return () => value;
      }
      case 'name':
        return this.name(source.name);
      case 'list':
      case 'tuple': {
        const items = this.all(source.items);
        return source.type === 'list' ? items : (scope) => new Tuple(items(scope));
      }
      case 'dict':
        return this.dict(source.pairs);
      case 'attribute': {
        const [of, { name }] = [this.expression(source.of), source];
        return (scope) => attributeOf(of(scope), name);
      }
      case 'item': {
        const [of, key] = [this.expression(source.of), this.expression(source.key)];
        return (scope) => itemOf(of(scope), key(scope));
      }
      case 'slice':
        return this.slice(source);
      case 'call':
        return this.call(source);
      case 'filter':
        return this.filter(source, this.expression(source.of!));
      case 'test':
        return this.test(source);
      case 'concatenation': {
        const parts = source.parts.map((part) => this.expression(part));
        return (scope) => joined(parts.map((part) => print(part(scope))));
      }
      case 'condition':
        return this.under(true, () => this.condition(source));
      default:
        return this.operation(source);
    }
  }

  private operation(
    source: Extract<
      Expression,
      { type: 'not' | 'negative' | 'positive' | 'and' | 'or' | 'arithmetic' | 'comparison' }
    >,
  ): Evaluate {
    if (source.type === 'comparison') return this.comparison(source);
    if ('of' in source) {
      const of = this.expression(source.of);
      if (source.type === 'not') return (scope) => !isTrue(of(scope));
      const negative = source.type === 'negative';
      return (scope) => signed(of(scope), negative);
    }
    const [left, right] = [this.expression(source.left), this.expression(source.right)];
    if (source.type === 'arithmetic') {
      const { operator } = source;
      return (scope) => arithmetic(operator, left(scope), right(scope));
    }
    const isAnd = source.type === 'and';
    return (scope) => {
      const value = left(scope);
      return isTrue(value) === isAnd ? right(scope) : value;
    };
  }

  private name(name: string): Evaluate {
    if (name === 'self' || name === 'super')
      throw new TemplateError(`the name "${name}" is not supported`);
    for (const used of this.used) used.add(name);
    return (scope) => scope.get(name);
  }

  private all(sources: Expression[]): (scope: Scope) => Value[] {
    const items = sources.map((item) => this.expression(item));
    return (scope) => {
      chargeItems(items.length);
      return items.map((item) => item(scope));
    };
  }

  private dict(sources: [Expression, Expression][]): Evaluate {
    const pairs = sources.map(([key, value]) => [this.expression(key), this.expression(value)]);
    return (scope) =>
      Dict.of(pairs.map(([key, value]) => [key!(scope), value!(scope)] as [Value, Value]));
  }

  private slice(source: Extract<Expression, { type: 'slice' }>): Evaluate {
    const [start, stop, by] = [source.start, source.stop, source.step].map((part) =>
      part ? this.expression(part) : () => null,
    );
    return (scope) => new Slice(start!(scope), stop!(scope), by!(scope));
  }

  private condition(source: Extract<Expression, { type: 'condition' }>): Evaluate {
    const [test, then] = [this.expression(source.test), this.expression(source.then)];
    const otherwise = source.otherwise ? this.expression(source.otherwise) : nothing;
    return (scope) => (isTrue(test(scope)) ? then(scope) : otherwise(scope));
  }

  /** a < b < c: each operand is evaluated at most once, and only if needed. */
  private comparison(source: Extract<Expression, { type: 'comparison' }>): Evaluate {
    const first = this.expression(source.first);
    const rest = source.rest.map(([sign, right]) => ({ sign, right: this.expression(right) }));
    return (scope) => {
      let left = first(scope);
      return rest.every(({ sign, right }) => {
        const value = right(scope);
        const holds = compare(sign, left, value);
        left = value;
        return holds;
      });
    };
  }

  /** `caller`: the body of a call block. */
  protected call(source: Call, caller?: (scope: Scope) => Value): Evaluate {
    const [callee, given] = [this.expression(source.callee), this.given(source.given)];
    if (!caller) return (scope) => call(callee(scope), given(scope));
    return (scope) => {
      const { positional, named } = given(scope);
      return call(callee(scope), {
        positional,
        named: new Map([...named, ['caller', caller(scope)]]),
      });
    };
  }

  protected filter(source: Filter, of: Evaluate): Evaluate {
    const filter = findFilter(source.name);
    if (!filter) return this.unknown('filter', source);
    const given = this.given(source.given);
    return (scope) => filter(of(scope), given(scope), LANGUAGE);
  }

  private test(source: Extract<Expression, { type: 'test' }>): Evaluate {
    const test = findTest(source.name);
    const of = this.expression(source.of);
    if (!test) return this.unknown('test', source);
    const given = this.given(source.given);
    return (scope) => test(of(scope), given(scope), LANGUAGE);
  }

  private unknown(kind: string, { name, line }: { name: string; line: number }): Evaluate {
    const error = new TemplateError(`line ${line}: there is no ${kind} "${name}"`);
    if (!this.conditional) throw error;
    return () => {
      throw error;
    };
  }

  private given({ positional, named, list, dict }: Given): (scope: Scope) => Arguments {
    if (positional.length + named.length === 0 && !list && !dict) return () => NO_ARGUMENTS;
    const first = this.all(positional);
    const byName = named.map(([name, value]) => [name, this.expression(value)] as const);
    const [more, moreByName] = [list, dict].map((one) => one && this.expression(one));
    return (scope) => {
      const all = first(scope);
      if (more) all.push(...collect(iterate(more(scope))));
      const names = new Map(byName.map(([name, value]) => [name, value(scope)]));
      if (names.size < byName.length) throw new TemplateError('an argument is given twice');
      if (moreByName) addNamed(names, moreByName(scope));
      return { positional: all, named: names };
    };
  }
}

function addNamed(names: Map<string, Value>, dict: Value): void {
  if (!(dict instanceof Dict)) throw wrongType('"**"', 'a dict', dict);
  for (const [key, value] of dict.entries()) {
    const name = toText(key, 'the name of an argument');
    if (names.has(name)) throw new TemplateError(`the argument "${name}" is given twice`);
    names.set(name, value);
  }
}

function signed(value: Value, negative: boolean): Value {
  if (!isNumber(value)) throw wrongType(negative ? '"-"' : '"+"', 'a number', value);
  if (negative) return negate(value);
  return typeof value === 'boolean' ? Number(value) : value;
}

const nothing = () => new Undefined('the condition is false, and there is no "else"');
