/** Variables by name. Those of a loop's turn, a macro or a block are visible only inside; outer variables are visible inside, too. */
import { Undefined } from './values.js';
import type { Value } from './values.js';

export class Scope {
  readonly #variables: Map<string, Value>;
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope, variables = new Map<string, Value>()) {
    this.#outer = outer;
    this.#variables = variables;
  }

  find(name: string): Value | undefined {
    const value = this.#variables.get(name);
    return value === undefined ? this.#outer?.find(name) : value;
  }

  get(name: string): Value {
    const value = this.find(name);
    return value === undefined ? new Undefined(`'${name}' is undefined`) : value;
  }

  set(name: string, value: Value): void {
    this.#variables.set(name, value);
  }
}
