/** Compiles statements to functions. */
import { Pieces, collect, step } from './budget.js';
import { ExpressionCompiler } from './compile-expression.js';
import type { Evaluate, Used } from './compile-expression.js';
import { TemplateError } from './errors.js';
import { Frame } from './frames.js';
import { Loop } from './loop.js';
import { bindMacro } from './macro.js';
import { isTrue, iterate } from './operators.js';
import { print } from './print.js';
import { Scope } from './scope.js';
import type { Expression, Filter, For, Parameter, Statement, Target } from './syntax.js';
import { Callable, Namespace, Stream, Undefined } from './values.js';
import type { Value } from './values.js';

/** How a statement ends. */
enum Ends {
  Here,
  Loop,
  Turn,
}

type Run = (scope: Scope, output: Pieces) => Ends;
type Assign = (scope: Scope, value: Value) => void;

/** The line that is being rendered, for errors. */
export const position = { line: 0 };

export function compile(statements: Statement[]): Run {
  return new Compiler().template(statements);
}

/** A body with variables of its own. */
interface Body {
  run: Run;
  /** Makes its variables as they are when it begins. */
  begin: (outer: Scope) => Scope;
}

type Of<Type> = Extract<Statement, { type: Type }>;

class Compiler extends ExpressionCompiler {
  #frame = new Frame();

  template(statements: Statement[]): Run {
    const { run, begin } = this.frame((frame) => frame.body(statements), statements);
    return (scope, output) => run(begin(scope), output);
  }

  private block(statements: Statement[]): Run {
    const runs = statements.map((statement) => {
      const run = this.statement(statement);
      const { line } = statement;
      return (scope: Scope, output: Pieces) => {
        step();
        position.line = line;
        return run(scope, output);
      };
    });
    return (scope, output) => {
      for (const run of runs) {
        const ends = run(scope, output);
        if (ends !== Ends.Here) return ends;
      }
      return Ends.Here;
    };
  }

  /** `look`: shows the frame what belongs to the body. Conditions around the body do not count in it: see `conditional`. */
  private frame(
    look: (frame: Frame) => void,
    statements: Statement[],
    parameters?: string[],
  ): Body {
    const outer = this.#frame;
    const frame = new Frame(outer, parameters);
    look(frame);
    this.#frame = frame;
    const run = this.under(false, () => this.block(statements));
    this.#frame = outer;
    const { empty } = frame;
    const begin = (scope: Scope) => {
      const inner = new Scope(scope);
      for (const name of empty) inner.set(name, new Undefined(`'${name}' is undefined`));
      return inner;
    };
    return { run, begin };
  }

  private body(statements: Statement[], parameters?: string[]): Body {
    return this.frame((frame) => frame.body(statements), statements, parameters);
  }

  private statement(source: Statement): Run {
    switch (source.type) {
      case 'text':
        return (_, output) => (output.push(source.text), Ends.Here);
      case 'print': {
        const value = this.expression(source.value);
        return (scope, output) => (output.push(print(value(scope))), Ends.Here);
      }
      case 'set': {
        const [value, assign] = [this.expression(source.value), this.target(source.target)];
        return (scope) => (assign(scope, value(scope)), Ends.Here);
      }
      case 'set block':
        return this.setBlock(source);
      case 'if':
        return this.if(source);
      case 'for':
        return this.for(source);
      case 'break':
        return () => Ends.Loop;
      case 'continue':
        return () => Ends.Turn;
      case 'macro': {
        const macro = this.macro(source.name, source.parameters, source.body);
        return (scope) => (scope.set(source.name, macro(scope)), Ends.Here);
      }
      case 'call block': {
        const caller = this.macro('caller', source.parameters, source.body);
        const value = this.call(source.call, caller);
        return (scope, output) => (output.push(print(value(scope))), Ends.Here);
      }
      case 'filter block':
        return this.filterBlock(source);
      case 'with':
        return this.with(source);
      case 'generation': {
        const { run, begin } = this.body(source.body);
        return (scope, output) => run(begin(scope), output);
      }
    }
  }

  private target(target: Target): Assign {
    if (target.type === 'name') return (scope, value) => scope.set(target.name, value);
    if (target.type === 'field') {
      const { name, field } = target;
      return (scope, value) => {
        const namespace = scope.find(name);
        if (!(namespace instanceof Namespace))
          throw new TemplateError('cannot assign attribute on non-namespace object');
        namespace.fields.set(field, value);
      };
    }
    const targets = target.items.map((item) => this.target(item));
    return (scope, value) => {
      const values = collect(iterate(value));
      if (values.length !== targets.length)
        throw new TemplateError(`expected ${targets.length} values, ${values.length} were given`);
      targets.forEach((assign, i) => assign(scope, values[i]!));
    };
  }

  /** Runs a body, and passes on its text after the filters. */
  private captured(statements: Statement[], filter: Filter | null) {
    let text = '';
    const { run, begin } = this.frame((frame) => {
      frame.body(statements);
      frame.read(filter);
    }, statements);
    const chain = filter && this.under(false, () => this.filterChain(filter, () => text));
    return (scope: Scope, apply: (value: Value) => void): Ends => {
      const [inner, output] = [begin(scope), new Pieces()];
      const ends = run(inner, output);
      if (ends !== Ends.Here) return ends;
      text = output.text;
      apply(chain ? chain(inner) : text);
      return Ends.Here;
    };
  }

  private filterChain(filter: Filter, text: Evaluate): Evaluate {
    return this.filter(filter, filter.of ? this.filterChain(filter.of as Filter, text) : text);
  }

  private setBlock(source: Of<'set block'>): Run {
    const assign = this.target(source.target);
    const capture = this.captured(source.body, source.filter);
    return (scope) => capture(scope, (value) => assign(scope, value));
  }

  private filterBlock(source: Of<'filter block'>): Run {
    const capture = this.captured(source.body, source.filter);
    return (scope, output) => capture(scope, (value) => output.push(print(value)));
  }

  private with(source: Of<'with'>): Run {
    const pairs = source.pairs.map(([target, value]) => ({
      assign: this.target(target),
      value: this.expression(value),
    }));
    const names = source.pairs.flatMap(([target]) => namesOf(target));
    const { run, begin } = this.body(source.body, names);
    return (scope, output) => {
      const inner = begin(scope);
      for (const { assign, value } of pairs) assign(inner, value(scope));
      return run(inner, output);
    };
  }

  private if(source: Of<'if'>): Run {
    return this.under(true, () => {
      const branches = source.branches.map(({ test, body }) => ({
        test: this.expression(test),
        body: this.block(body),
      }));
      const otherwise = this.block(source.otherwise);
      return (scope: Scope, output: Pieces) => {
        for (const { test, body } of branches) if (isTrue(test(scope))) return body(scope, output);
        return otherwise(scope, output);
      };
    });
  }

  private for(source: For): Run {
    const items = this.expression(source.items);
    const passes = source.test && this.under(false, () => this.expression(source.test!));
    const assign = this.target(source.target);
    const body = this.body(source.body, ['loop', ...namesOf(source.target)]);
    const otherwise = this.body(source.otherwise);
    const run = (scope: Scope, output: Pieces, of: Value, depth: number): Ends => {
      const again = (inner: Value, deeper: number) => {
        const text = new Pieces();
        run(scope, text, inner, deeper);
        return text.text;
      };
      const chosen = passes ? new Stream(filtered(scope, of, assign, passes)) : of;
      const loop = new Loop(chosen, depth, source.recursive ? again : undefined);
      let isEmpty = true; // stays true if no turn reaches its end, as in jinja2
      for (let item = loop.next(); item !== undefined; item = loop.next()) {
        step();
        const turn = body.begin(scope);
        turn.set('loop', loop);
        assign(turn, item);
        const ends = body.run(turn, output);
        if (ends === Ends.Loop) break;
        if (ends === Ends.Here) isEmpty = false;
      }
      return isEmpty ? otherwise.run(otherwise.begin(scope), output) : Ends.Here;
    };
    return (scope, output) => run(scope, output, items(scope), 0);
  }

  /** Makes the macro of a scope. It sees the scope's variables as they are when it is called. */
  private macro(name: string, parameters: Parameter[], statements: Statement[]) {
    const used: Used = new Set();
    this.used.push(used);
    const defaults = parameters.map((one) => ({
      name: one.name,
      make: one.default && this.under(false, () => this.expression(one.default as Expression)),
    }));
    const names = parameters.map((one) => one.name);
    const { run, begin } = this.body(statements, names);
    this.used.pop();
    return (scope: Scope): Callable =>
      new Callable(
        name,
        (given) => {
          const inner = begin(scope);
          bindMacro(name, defaults, used, given, inner);
          const output = new Pieces();
          run(inner, output);
          return output.text;
        },
        `<Macro '${name}'>`,
      );
  }
}

function namesOf(target: Target): string[] {
  return target.type === 'targets' ? target.items.flatMap(namesOf) : [target.name];
}

function* filtered(scope: Scope, items: Value, assign: Assign, passes: Evaluate): Generator<Value> {
  for (const item of iterate(items)) {
    step();
    const inner = new Scope(scope);
    assign(inner, item);
    if (isTrue(passes(inner))) yield item;
  }
}
