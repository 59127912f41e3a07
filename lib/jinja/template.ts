/**
 * A chat template, rendered as transformers renders it with Python's jinja2: docs/decisions/0017. Features of that language that are
 * missing here are refused by name, never ignored.
 */
import { Pieces, startBudget } from './budget.js';
import { compile, position } from './compile.js';
import { TemplateError } from './errors.js';
import { fromObject } from './from-host.js';
import { makeGlobals } from './globals.js';
import { parse } from './parse.js';
import { Scope } from './scope.js';
import { toText } from './values.js';
import type { Value } from './values.js';

export class Template {
  readonly #run: ReturnType<typeof compile>;

  /** Throws TemplateError if it does not parse. */
  constructor(source: string) {
    startBudget(); // its numbers count as values, too
    this.#run = notTooDeep(() => compile(parse(source)));
  }

  /** Throws TemplateError, RaisedError, TooLargeError or TooLongError. `now`: for templates that print the date. */
  render(variables: Record<string, unknown>, now = new Date()): string {
    startBudget();
    position.line = 0;
    const output = new Pieces();
    try {
      notTooDeep(() => this.#run(scopeOf(variables, now), output));
    } catch (error) {
      if (error instanceof TemplateError && position.line > 0)
        throw new TemplateError(`line ${position.line}: ${error.message}`, { cause: error });
      throw error;
    }
    return output.text;
  }
}

function scopeOf(variables: Record<string, unknown>, now: Date): Scope {
  const given = new Map<string, Value>();
  for (const [name, value] of fromObject(variables).entries())
    given.set(toText(name, 'a variable'), value);
  return new Scope(new Scope(new Scope(undefined, makeGlobals(now)), given));
}

/** Endless recursion, or endless brackets, overflow the stack: V8 throws a RangeError. */
function notTooDeep<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TemplateError('it nests too deeply', { cause: error });
  }
}
