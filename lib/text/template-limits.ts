/**
 * Keeps a chat template from exhausting memory in one stroke. A worker's heap limit ends the worker - but when a single
 * allocation passes it, V8 ends the whole process. So every value that a template makes is measured as it is made, and
 * the heap is given room for what one step of the interpreter can make at most (V8's longest string, 1 GiB).
 */
import { MAX_TEXT } from './template-size.js';

interface Syntax {
  type: string;
  property?: Syntax;
}

type Evaluate = (this: object, statement: Syntax | undefined, scope: object) => { value?: unknown };
type Declare = (this: object, name: string, value: unknown) => unknown;

/** The parts of the library that we use; its own types do not resolve under "nodenext". */
const { Environment, Interpreter } = require('@huggingface/jinja') as {
  Environment: { prototype: { set: Declare } };
  Interpreter: { prototype: { evaluate: Evaluate } };
};

const MAX_ITEMS = 200_000;
/** Characters and items that one rendering may make in all. */
const MAX_MADE = 128 << 20;
const MAX_STEPS = 20_000_000;

export const LIMIT_MESSAGE = 'the template makes too large values';

/** Kinds of syntax that make new values; the others pass on what is there. */
const MAKES = new Set([
  'Program',
  'If',
  'For',
  'CallStatement',
  'FilterStatement',
  'ArrayLiteral',
  'TupleLiteral',
  'ObjectLiteral',
  'CallExpression',
  'BinaryExpression',
  'FilterExpression',
]);

const makes = ({ type, property }: Syntax) =>
  MAKES.has(type) || (type === 'MemberExpression' && property?.type === 'SliceExpression');

let [made, steps] = [0, 0];

/** From now on, all templates of this thread are measured. */
export function limitTemplates(): void {
  const { evaluate } = Interpreter.prototype;
  Interpreter.prototype.evaluate = function (statement, scope) {
    const result = evaluate.call(this, statement, scope);
    if (++steps > MAX_STEPS) throw new RangeError(LIMIT_MESSAGE);
    if (statement && makes(statement)) charge(result.value);
    return result;
  };
  const { set } = Environment.prototype;
  Environment.prototype.set = function (name, value) {
    const isRange = name === 'range' && typeof value === 'function';
    return set.call(this, name, isRange ? range : value);
  };
}

/** Before each rendering. */
export function resetLimits(): void {
  [made, steps] = [0, 0];
}

function charge(value: unknown): void {
  if (typeof value === 'string') measure(value.length, MAX_TEXT);
  else if (Array.isArray(value)) measure(value.length, MAX_ITEMS);
  else if (value instanceof Map) measure(value.size, MAX_ITEMS);
}

function measure(size: number, max: number): void {
  made += size;
  if (size > max || made > MAX_MADE) throw new RangeError(LIMIT_MESSAGE);
}

/** In place of the library's, which makes its whole list in one step, however long. */
function range(start: number, stop?: number, step = 1): number[] {
  const [first, end] = stop === undefined ? [0, start] : [start, stop];
  const count = Math.max(0, Math.ceil((end - first) / step));
  if (!Number.isFinite(count) || count > MAX_ITEMS) throw new RangeError(LIMIT_MESSAGE);
  return Array.from({ length: count }, (_, i) => first + i * step);
}
