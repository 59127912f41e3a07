/**
 * Which variables of a body are empty when it begins. In jinja2 a name that a body sets belongs to the body from its first line
 * on, even for an inner loop before the "set". There are two exceptions, in which it begins with the outer value: the body has read
 * the name before, or sets it only under a condition.
 */
import type { Expression, Given, Statement, Target } from './syntax.js';

export class Frame {
  readonly #outer: Frame | undefined;
  /** Names that the body owns, and whether they begin empty. */
  readonly #names = new Map<string, boolean>();
  /** How many conditions enclose the current place. */
  #conditions = 0;

  constructor(outer?: Frame, parameters: readonly string[] = []) {
    this.#outer = outer;
    for (const name of parameters) this.#names.set(name, false);
  }

  get empty(): string[] {
    return Array.from(this.#names)
      .filter(([, isEmpty]) => isEmpty)
      .map(([name]) => name);
  }

  has(name: string): boolean {
    return this.#names.has(name) || (this.#outer?.has(name) ?? false);
  }

  read(source: Expression | null): void {
    if (source) for (const name of namesIn(source)) this.load(name);
  }

  assign(target: Target): void {
    if (target.type === 'targets') target.items.forEach((item) => this.assign(item));
    else if (target.type === 'field') this.load(target.name);
    else this.store(target.name);
  }

  body(statements: readonly Statement[]): void {
    for (const statement of statements) this.statement(statement);
  }

  private load(name: string): void {
    if (!this.has(name)) this.#names.set(name, false);
  }

  private store(name: string): void {
    if (!this.#names.has(name)) this.#names.set(name, this.#conditions === 0 && !this.has(name));
  }

  /** Inner bodies are frames of their own. */
  private statement(source: Statement): void {
    switch (source.type) {
      case 'print':
        return this.read(source.value);
      case 'set':
        this.read(source.value);
        return this.assign(source.target);
      case 'set block':
        return this.assign(source.target);
      case 'if':
        return this.if(source);
      case 'for':
        return this.read(source.items);
      case 'macro':
        return this.store(source.name);
      case 'call block':
        return this.read(source.call);
      case 'filter block':
        return this.read(source.filter);
      case 'with':
        for (const [, value] of source.pairs) this.read(value);
    }
  }

  private if({ branches, otherwise }: Extract<Statement, { type: 'if' }>): void {
    branches.forEach(({ test, body }, i) => {
      // Each condition after the first stands under the one before it.
      if (i === 1) this.#conditions++;
      this.read(test);
      this.#conditions++;
      this.body(body);
      this.#conditions--;
    });
    if (branches.length === 1) this.#conditions++;
    this.body(otherwise);
    this.#conditions--;
  }
}

function namesIn(source: Expression): string[] {
  switch (source.type) {
    case 'constant':
    case 'float':
      return [];
    case 'name':
      return [source.name];
    case 'list':
    case 'tuple':
      return source.items.flatMap(namesIn);
    case 'dict':
      return source.pairs.flat().flatMap(namesIn);
    case 'item':
      return [...namesIn(source.of), ...namesIn(source.key)];
    case 'slice':
      return [source.start, source.stop, source.step].flatMap((part) =>
        part ? namesIn(part) : [],
      );
    case 'call':
      return [...namesIn(source.callee), ...namesGiven(source.given)];
    case 'filter':
    case 'test':
      return [...(source.of ? namesIn(source.of) : []), ...namesGiven(source.given)];
    case 'concatenation':
      return source.parts.flatMap(namesIn);
    case 'comparison':
      return [source.first, ...source.rest.map(([, right]) => right)].flatMap(namesIn);
    case 'condition':
      return [source.test, source.then, source.otherwise].flatMap((part) =>
        part ? namesIn(part) : [],
      );
    case 'and':
    case 'or':
    case 'arithmetic':
      return [...namesIn(source.left), ...namesIn(source.right)];
    default:
      return namesIn(source.of);
  }
}

function namesGiven({ positional, named, list, dict }: Given): string[] {
  const byName = named.map(([, value]) => value);
  return [...positional, ...byName, list, dict].flatMap((one) => (one ? namesIn(one) : []));
}
