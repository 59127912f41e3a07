/** The state of a loop, which its body sees as `loop`. It looks ahead only as far as it is asked to: items may be made on demand. */
import { Bound, positionalOnly } from './arguments.js';
import { collect } from './budget.js';
import { TemplateError } from './errors.js';
import { isEqual, iterate } from './operators.js';
import { sizeOf } from './size.js';
import { Callable, Opaque, Stream, Tuple, Undefined } from './values.js';
import type { Arguments, Value } from './values.js';

export class Loop extends Opaque {
  readonly #items: Value;
  readonly #recurse: ((items: Value, depth: number) => Value) | undefined;
  readonly #depth: number;
  #iterator: Iterator<Value>;
  #length: number | undefined;
  #index = -1;
  #before: Value | undefined;
  #current: Value | undefined;
  #after: IteratorResult<Value, unknown> | undefined;
  #changed: Value | undefined;

  constructor(items: Value, depth = 0, recurse?: (items: Value, depth: number) => Value) {
    super();
    this.#items = items;
    this.#iterator = iterate(items)[Symbol.iterator]();
    this.#depth = depth;
    this.#recurse = recurse;
  }

  /** The next item; undefined at the end. */
  next(): Value | undefined {
    const { done, value } = this.peek();
    this.#after = undefined;
    if (done) return undefined;
    this.#index++;
    this.#before = this.#current;
    this.#current = value;
    return value;
  }

  attribute(name: string): Value | undefined {
    switch (name) {
      case 'index':
        return this.#index + 1;
      case 'index0':
        return this.#index;
      case 'revindex':
        return this.length() - this.#index;
      case 'revindex0':
        return this.length() - this.#index - 1;
      case 'first':
        return this.#index === 0;
      case 'last':
        return this.peek().done === true;
      case 'length':
        return this.length();
      case 'depth':
        return this.#depth + 1;
      case 'depth0':
        return this.#depth;
      case 'previtem':
        return (
          this.#before ?? (this.#index > 0 ? null : new Undefined('there is no previous item'))
        );
      case 'nextitem': {
        const { done, value } = this.peek();
        return done ? new Undefined('there is no next item') : value;
      }
      case 'cycle':
        return new Callable(name, (given) => this.cycle(given));
      case 'changed':
        return new Callable(name, (given) => this.changed(given));
      default:
        return undefined;
    }
  }

  call(given: Arguments): Value {
    const items = new Bound('loop', given, 'iterable!').get('iterable')!;
    if (!this.#recurse) throw new TemplateError('only a recursive loop can be called');
    return this.#recurse(items, this.#depth + 1);
  }

  print(): string {
    return `<LoopContext ${this.#index + 1}/${this.length()}>`;
  }

  private peek(): { done: true; value?: undefined } | { done: false; value: Value } {
    this.#after ??= this.#iterator.next();
    return this.#after.done ? { done: true } : { done: false, value: this.#after.value };
  }

  private length(): number {
    if (this.#length !== undefined) return this.#length;
    const size = this.#items instanceof Stream ? undefined : sizeOf(this.#items);
    if (size !== undefined) return (this.#length = size);
    const rest = collect({ [Symbol.iterator]: () => this.#iterator });
    this.#iterator = rest[Symbol.iterator]();
    const seen = this.#index + 1 + Number(this.#after !== undefined && !this.#after.done);
    return (this.#length = rest.length + seen);
  }

  private cycle(given: Arguments): Value {
    const values = positionalOnly('cycle', given);
    if (values.length === 0) throw new TemplateError('cycle is given nothing');
    return values[this.#index % values.length]!;
  }

  private changed(given: Arguments): Value {
    const values = new Tuple(positionalOnly('changed', given));
    if (this.#changed !== undefined && isEqual(this.#changed, values)) return false;
    this.#changed = values;
    return true;
  }
}
