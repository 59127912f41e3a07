/** Matches arguments to parameters as Python does. An argument that a function does not take is refused by name. */
import { TemplateError } from './errors.js';
import { isTrue } from './operators.js';
import { toIndex, toText } from './values.js';
import type { Arguments, Value } from './values.js';

export const NO_ARGUMENTS: Arguments = { positional: [], named: new Map() };

/** The arguments of one call by the names of the parameters. */
export class Bound {
  readonly #what: string;
  readonly #names: readonly string[];
  readonly #values: (Value | undefined)[];

  /** `parameters`: names. Required ones end in "!", and "/" follows those that cannot be given by name. */
  constructor(what: string, { positional, named }: Arguments, parameters: string) {
    const all = parameters.split(' ').filter((name) => name !== '');
    const nameless = all.indexOf('/');
    const names = all.filter((name) => name !== '/');
    this.#what = what;
    this.#names = names.map((name) => name.replace('!', ''));
    if (positional.length > names.length)
      throw new TemplateError(
        `${what} takes at most ${names.length} arguments, ${positional.length} were given`,
      );
    this.#values = this.#names.map((_, i) => positional[i]);
    for (const [name, value] of named) {
      const at = this.#names.indexOf(name, Math.max(0, nameless));
      if (at < 0) throw new TemplateError(`${what} takes no argument "${name}"`);
      if (this.#values[at] !== undefined)
        throw new TemplateError(`${what} is given "${name}" twice`);
      this.#values[at] = value;
    }
    names.forEach((name, i) => {
      if (name.endsWith('!') && this.#values[i] === undefined)
        throw new TemplateError(`${what} needs the argument "${this.#names[i]}"`);
    });
  }

  get(name: string): Value | undefined {
    return this.#values[this.#names.indexOf(name)];
  }

  /** `fallback` if it is not given; None counts as given. */
  or<T>(name: string, fallback: T): Value | T {
    const value = this.get(name);
    return value === undefined ? fallback : value;
  }

  /** Its truth value in Python. */
  flag(name: string): boolean {
    const value = this.get(name);
    return value !== undefined && isTrue(value);
  }

  index(name: string, fallback: number): number {
    const value = this.get(name);
    return value === undefined ? fallback : toIndex(value, this.label(name));
  }

  /** undefined if it is None or not given. */
  optionalIndex(name: string): number | undefined {
    const value = this.get(name) ?? null;
    return value === null ? undefined : toIndex(value, this.label(name));
  }

  text(name: string, fallback = ''): string {
    const value = this.get(name);
    return value === undefined ? fallback : toText(value, this.label(name));
  }

  optionalText(name: string): string | undefined {
    const value = this.get(name) ?? null;
    return value === null ? undefined : toText(value, this.label(name));
  }

  private label(name: string): string {
    return `the argument "${name}" of ${this.#what}`;
  }
}

/** The positional arguments, for functions that take any number of them; refuses named ones. */
export function positionalOnly(what: string, { positional, named }: Arguments): readonly Value[] {
  for (const name of named.keys()) throw new TemplateError(`${what} takes no argument "${name}"`);
  return positional;
}
