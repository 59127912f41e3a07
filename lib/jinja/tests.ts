/** The tests that may follow "is". */
import { Bound } from './arguments.js';
import { CLASSES } from './characters.js';
import { TemplateError } from './errors.js';
import type { Language, Test } from './language.js';
import { arithmetic, compare, contains, isEqual, iterated } from './operators.js';
import { print } from './print.js';
import { isSequence } from './size.js';
import type { Comparison } from './syntax.js';
import {
  Callable,
  Dict,
  Float,
  Markup,
  Opaque,
  Undefined,
  identityOf,
  isInteger,
  isNumber,
} from './values.js';
import type { Value } from './values.js';

type Check = (value: Value, language: Language) => boolean;

const plain =
  (name: string, check: Check): Test =>
  (value, given, language) => (
    void new Bound(`the test ${name}`, given, ''),
    check(value, language)
  );

const comparing =
  (comparison: Comparison): Test =>
  (value, given) =>
    compare(comparison, value, new Bound('the test', given, 'other! /').get('other')!);

const isEven = (value: Value, by: Value = 2, rest: Value = 0) =>
  isEqual(arithmetic('%', value, by), rest);

const PLAIN: Record<string, Check> = {
  boolean: (value) => typeof value === 'boolean',
  callable: (value) => [Callable, Opaque, Undefined].some((type) => value instanceof type),
  defined: (value) => !(value instanceof Undefined),
  escaped: (value) => value instanceof Markup,
  even: (value) => isEven(value),
  false: (value) => value === false,
  filter: (value, { filter }) => isNamed(value, filter),
  float: (value) => value instanceof Float,
  integer: (value) => isInteger(value) && typeof value !== 'boolean',
  iterable: (value) => value instanceof Markup || iterated(value) !== undefined,
  lower: (value) => CLASSES['islower']!(print(value)),
  mapping: (value) => value instanceof Dict,
  none: (value) => value === null,
  number: isNumber,
  odd: (value) => isEven(value, 2, 1),
  sequence: isSequence,
  string: (value) => typeof value === 'string' || value instanceof Markup,
  test: (value, { test }) => isNamed(value, test),
  true: (value) => value === true,
  undefined: (value) => value instanceof Undefined,
  upper: (value) => CLASSES['isupper']!(print(value)),
};

const COMPARISONS: [string, Comparison][] = [
  ['==', '=='],
  ['eq', '=='],
  ['equalto', '=='],
  ['!=', '!='],
  ['ne', '!='],
  ['<', '<'],
  ['lt', '<'],
  ['lessthan', '<'],
  ['<=', '<='],
  ['le', '<='],
  ['>', '>'],
  ['gt', '>'],
  ['greaterthan', '>'],
  ['>=', '>='],
  ['ge', '>='],
];

const TESTS = new Map<string, Test>([
  ...Object.entries(PLAIN).map(([name, check]): [string, Test] => [name, plain(name, check)]),
  ...COMPARISONS.map(([name, sign]): [string, Test] => [name, comparing(sign)]),
  [
    'divisibleby',
    (value, given) => isEven(value, new Bound('divisibleby', given, 'num!').get('num')),
  ],
  ['in', (value, given) => contains(new Bound('in', given, 'seq!').get('seq')!, value)],
  ['sameas', (value, given) => isSame(value, new Bound('sameas', given, 'other!').get('other')!)],
]);

/** Python's "is": we can decide it for None, True and False, and for values with parts. */
function isSame(value: Value, other: Value): boolean {
  const isPlain = (one: Value) => typeof one !== 'object' && typeof one !== 'boolean';
  if ((isPlain(value) || value instanceof Float) && isEqual(value, other))
    throw new TemplateError('the test sameas of text or numbers is not supported');
  return value === other;
}

function isNamed(value: Value, find: (name: string) => unknown): boolean {
  identityOf(value); // a value whose identity is not known is an error
  return typeof value === 'string' && find(value) !== undefined;
}

export function findTest(name: string): Test | undefined {
  return TESTS.get(name);
}
