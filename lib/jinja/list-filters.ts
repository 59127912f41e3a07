/** Filters over items. Where Python makes the items one by one, so do we: such a list can be read once. */
import { itemOf } from './access.js';
import { Bound } from './arguments.js';
import { chargeItems, collect, joined, measured } from './budget.js';
import { charactersOf } from './characters.js';
import { TemplateError } from './errors.js';
import type { Filter, Language } from './language.js';
import { arithmetic, isSame, isTrue, iterate, order } from './operators.js';
import { print } from './print.js';
import { sizeOf } from './size.js';
import { Dict, Markup, Stream, Tuple, Undefined, View, identityOf, typeName } from './values.js';
import type { Arguments, Value } from './values.js';

type Getter = (item: Value) => Value;

/** `attribute`: "a.b.0", or the index of an item. `fallback`: the value if something on the way is missing; None for none. */
function getter(attribute: Value, fallback: Value = null, ignoreCase = false): Getter {
  const parts: Value[] =
    attribute === null
      ? []
      : typeof attribute === 'string'
        ? attribute.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part))
        : [attribute];
  return (item) => {
    let value = item;
    for (const part of parts) {
      value = itemOf(value, part);
      if (fallback !== null && value instanceof Undefined) value = fallback;
    }
    return ignoreCase && typeof value === 'string' ? value.toLowerCase() : value;
  };
}

/** A stable sort, as Python's. */
function sorted<T>(items: T[], key: (item: T) => Value, reverse: boolean): T[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  if (keyed.length > 1) keyed.sort((a, b) => (reverse ? order(b.key, a.key) : order(a.key, b.key)));
  return keyed.map(({ item }) => item);
}

function dictSort(value: Value, given: Arguments): Value {
  const bound = new Bound('dictsort', given, 'case_sensitive by reverse');
  if (!(value instanceof Dict))
    throw new TemplateError(`dictsort expects a dict, not ${typeName(value)}`);
  const by = bound.text('by', 'key');
  if (by !== 'key' && by !== 'value') throw new TemplateError('dictsort sorts by "key" or "value"');
  const key = getter(by === 'key' ? 0 : 1, null, !bound.flag('case_sensitive'));
  const items = collect(new View(value, 'items')) as Tuple[];
  return sorted(items, key, bound.index('reverse', 0) !== 0);
}

function sort(value: Value, given: Arguments): Value {
  const bound = new Bound('sort', given, 'reverse case_sensitive attribute');
  const attribute = bound.get('attribute') ?? null;
  const names = typeof attribute === 'string' ? attribute.split(',') : [attribute];
  const getters = names.map((name) => getter(name, null, !bound.flag('case_sensitive')));
  const key = (item: Value) => getters.map((get) => get(item));
  return sorted(collect(iterate(value)), key, bound.index('reverse', 0) !== 0);
}

function groupBy(value: Value, given: Arguments): Value {
  const bound = new Bound('groupby', given, 'attribute! default case_sensitive');
  const [attribute, fallback] = [bound.get('attribute')!, bound.get('default') ?? null];
  const key = getter(attribute, fallback, !bound.flag('case_sensitive'));
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(collect(iterate(value)), key, false)) {
    const last = groups.at(-1);
    if (last && isSame(last.key, key(item))) last.items.push(item);
    else groups.push({ key: key(item), items: [item] });
  }
  chargeItems(groups.length);
  const real = getter(attribute, fallback);
  return groups.map(({ items }) => new Tuple([real(items[0]!), items], ['grouper', 'list']));
}

function* unique(value: Value, bound: Bound): Generator<Value> {
  const key = getter(bound.get('attribute') ?? null, null, !bound.flag('case_sensitive'));
  const seen = new Set<unknown>();
  for (const item of iterate(value)) {
    const identity = identityOf(key(item));
    if (seen.has(identity)) continue;
    seen.add(identity);
    yield item;
  }
}

const extreme =
  (name: string, sign: 1 | -1): Filter =>
  (value, given) => {
    const bound = new Bound(name, given, 'case_sensitive attribute');
    const key = getter(bound.get('attribute') ?? null, null, !bound.flag('case_sensitive'));
    let best: { item: Value; key: Value } | undefined;
    for (const item of iterate(value)) {
      const candidate = { item, key: key(item) };
      if (!best || sign * order(candidate.key, best.key) > 0) best = candidate;
    }
    return best ? best.item : new Undefined('No aggregated item, sequence was empty.');
  };

function* mapped(
  value: Value,
  { positional, named }: Arguments,
  language: Language,
): Generator<Value> {
  if (!isTrue(value)) return;
  let act: Getter;
  if (positional.length === 0 && named.has('attribute')) {
    const bound = new Bound('map', { positional, named }, 'attribute default');
    act = getter(bound.get('attribute')!, bound.get('default') ?? null);
  } else {
    const [name = null, ...rest] = positional;
    const filter = typeof name === 'string' ? language.filter(name) : undefined;
    if (!filter)
      throw new TemplateError(
        `there is no filter ${name === null ? 'for map' : `"${print(name)}"`}`,
      );
    act = (item) => filter(item, { positional: rest, named }, language);
  }
  for (const item of iterate(value)) yield act(item);
}

const chooser =
  (ofAttribute: boolean, wanted: boolean): Filter =>
  (value, given, language) =>
    new Stream(chosen(value, given, language, ofAttribute, wanted));

function* chosen(
  value: Value,
  given: Arguments,
  language: Language,
  ofAttribute: boolean,
  wanted: boolean,
) {
  if (!isTrue(value)) return;
  const rest = given.positional.slice();
  if (ofAttribute && rest.length === 0)
    throw new TemplateError('the name of an attribute is missing');
  const get = ofAttribute ? getter(rest.shift()!) : (item: Value) => item;
  const name = rest.shift();
  const test = name === undefined ? undefined : language.test(print(name));
  if (name !== undefined && !test) throw new TemplateError(`there is no test "${print(name)}"`);
  const passes = (item: Value) =>
    test ? test(item, { positional: rest, named: given.named }, language) : isTrue(item);
  for (const item of iterate(value)) if (passes(get(item)) === wanted) yield item;
}

function* batches(value: Value, bound: Bound): Generator<Value> {
  const [size, fill] = [bound.index('linecount', 0), bound.get('fill_with') ?? null];
  let batch: Value[] = [];
  for (const item of iterate(value)) {
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
    chargeItems(1);
    batch.push(item);
  }
  if (batch.length === 0) return;
  chargeItems(Math.max(0, size - batch.length));
  while (fill !== null && batch.length < size) batch.push(fill);
  yield batch;
}

function* slices(value: Value, bound: Bound): Generator<Value> {
  const items = collect(iterate(value));
  const [count, fill] = [bound.index('slices', 0), bound.get('fill_with') ?? null];
  if (count === 0) throw new TemplateError('division by zero');
  const least = Math.floor(items.length / count);
  const longer = items.length - least * count;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const size = least + Number(i < longer);
    const part = items.slice(at, at + size);
    chargeItems(size + 1);
    at += size;
    if (fill !== null && i >= longer) part.push(fill);
    yield part;
  }
}

function backwards(value: Value): Value[] | undefined {
  if (value instanceof Stream || value instanceof Markup) return undefined;
  if (sizeOf(value) === undefined) return undefined;
  return collect(iterate(value)).reverse();
}

function reverse(value: Value, given: Arguments): Value {
  void new Bound('reverse', given, '');
  if (typeof value === 'string') return measured(charactersOf(value).reverse().join(''));
  const items = backwards(value);
  return items ? new Stream(items) : collect(iterate(value)).reverse();
}

function join(value: Value, given: Arguments): Value {
  const bound = new Bound('join', given, 'd attribute');
  const get = getter(bound.get('attribute') ?? null);
  const parts = collect(iterate(value)).map((item) => print(get(item)));
  return joined(parts, print(bound.or('d', '')));
}

function* entriesOf(value: Value): Generator<Value> {
  if (value instanceof Undefined) return;
  if (!(value instanceof Dict)) throw new TemplateError('Can only get item pairs from a mapping.');
  yield* new View(value, 'items');
}

function length(value: Value, given: Arguments): Value {
  void new Bound('length', given, '');
  const size = sizeOf(value);
  if (size === undefined)
    throw new TemplateError(`object of type '${typeName(value)}' has no len()`);
  return size;
}

function sum(value: Value, given: Arguments): Value {
  const bound = new Bound('sum', given, 'attribute start');
  const get = getter(bound.get('attribute') ?? null);
  let total: Value = bound.or('start', 0);
  if (typeof total === 'string') throw new TemplateError('sum does not join text');
  for (const item of iterate(value)) total = arithmetic('+', total, get(item));
  return total;
}

/** A filter that makes its items when they are read. */
const stream =
  (
    name: string,
    parameters: string,
    make: (value: Value, bound: Bound) => Iterable<Value>,
  ): Filter =>
  (value, given) =>
    new Stream(make(value, new Bound(name, given, parameters)));

export const LIST_FILTERS: Record<string, Filter> = {
  batch: stream('batch', 'linecount! fill_with', batches),
  count: length,
  dictsort: dictSort,
  first(value, given) {
    void new Bound('first', given, '');
    for (const item of iterate(value)) return item;
    return new Undefined('No first item, sequence was empty.');
  },
  groupby: groupBy,
  items: stream('items', '', entriesOf),
  join,
  last(value, given) {
    void new Bound('last', given, '');
    const items = backwards(value);
    if (!items) throw new TemplateError(`'${typeName(value)}' object is not reversible`);
    return (
      items[0] ?? (items.length > 0 ? null : new Undefined('No last item, sequence was empty.'))
    );
  },
  length,
  list: (value, given) => (void new Bound('list', given, ''), collect(iterate(value))),
  map: (value, given, language) => new Stream(mapped(value, given, language)),
  max: extreme('max', 1),
  min: extreme('min', -1),
  reject: chooser(false, false),
  rejectattr: chooser(true, false),
  reverse,
  select: chooser(false, true),
  selectattr: chooser(true, true),
  slice: stream('slice', 'slices! fill_with', slices),
  sort,
  sum,
  unique: stream('unique', 'case_sensitive attribute', unique),
};
