/** The methods of lists, tuples and dicts that change nothing; text's methods are in text-methods.ts. */
import { NO_ARGUMENTS, Bound } from './arguments.js';
import { chargeItems } from './budget.js';
import { TemplateError } from './errors.js';
import { isEqual } from './operators.js';
import type { Access } from './text-format.js';
import { TEXT_METHODS } from './text-methods.js';
import { Dict, Tuple, View } from './values.js';
import type { Arguments, Value } from './values.js';

export type Method = (of: Value, given: Arguments, access: Access) => Value;

const itemsOf = (of: Value) => (of instanceof Tuple ? of.items : (of as Value[]));

const SEQUENCE: Record<string, Method> = {
  count(of, given) {
    const wanted = new Bound('count', given, 'value! /').get('value')!;
    return itemsOf(of).filter((item) => isEqual(item, wanted)).length;
  },
  index(of, given) {
    const bound = new Bound('index', given, 'value! start stop /');
    const items = itemsOf(of);
    const place = (name: string, fallback: number) => {
      const index = bound.index(name, fallback);
      return index < 0 ? Math.max(0, index + items.length) : index;
    };
    const stop = Math.min(items.length, place('stop', items.length));
    for (let i = place('start', 0); i < stop; i++)
      if (isEqual(items[i]!, bound.get('value')!)) return i;
    throw new TemplateError('index: the value is not in the list');
  },
};

const view =
  (kind: 'keys' | 'values' | 'items'): Method =>
  (of, given) => (void new Bound(kind, given, ''), new View(of as Dict, kind));

const DICT: Record<string, Method> = {
  get(of, given) {
    const bound = new Bound('get', given, 'key! default /');
    const found = (of as Dict).get(bound.get('key')!);
    return found === undefined ? bound.or('default', null) : found;
  },
  items: view('items'),
  keys: view('keys'),
  values: view('values'),
  copy: (of, given) => (void new Bound('copy', given, ''), Dict.of((of as Dict).entries())),
};

function copy(of: Value, given = NO_ARGUMENTS): Value {
  void new Bound('copy', given, '');
  chargeItems((of as Value[]).length);
  return (of as Value[]).slice();
}

/** By the name of the type in Python. */
export const METHODS: Record<string, Record<string, Method>> = {
  str: TEXT_METHODS,
  list: { ...SEQUENCE, copy },
  tuple: SEQUENCE,
  dict: DICT,
};
