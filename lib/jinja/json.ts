/** Python's json.dumps, as called by transformers' filter `tojson`. */
import { Bound } from './arguments.js';
import { Pieces, repeated } from './budget.js';
import { TemplateError } from './errors.js';
import { order } from './operators.js';
import { printFloat } from './print.js';
import { Dict, Float, Markup, Tuple, isInteger, isNumber, typeName } from './values.js';
import type { Arguments, Value } from './values.js';

interface Layout {
  indent: string | undefined;
  between: string;
  afterKey: string;
  ascii: boolean;
  sorted: boolean;
}

export function toJson(value: Value, given: Arguments): string {
  const bound = new Bound('tojson', given, 'ensure_ascii indent separators sort_keys');
  const indent = indentOf(bound);
  const [between, afterKey] = separatorsOf(bound.or('separators', null), indent);
  const [ascii, sorted] = [bound.flag('ensure_ascii'), bound.flag('sort_keys')];
  return new JsonWriter({ indent, between, afterKey, ascii, sorted }).write(value);
}

function indentOf(bound: Bound): string | undefined {
  const indent = bound.or('indent', null);
  if (indent === null) return undefined;
  return typeof indent === 'string' ? indent : repeated(' ', bound.index('indent', 0));
}

function separatorsOf(given: Value, indent: string | undefined): [string, string] {
  if (given === null) return [indent === undefined ? ', ' : ',', ': '];
  const [between, afterKey, ...more] =
    given instanceof Tuple ? given.items : Array.isArray(given) ? given : [];
  if (typeof between !== 'string' || typeof afterKey !== 'string' || more.length > 0)
    throw new TemplateError('tojson expects two texts for "separators"');
  return [between, afterKey];
}

/** Writes piece by piece, so that it can stop when the text becomes too long. */
class JsonWriter {
  readonly #layout: Layout;
  readonly #pieces = new Pieces();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  write(value: Value): string {
    this.value(value, '\n');
    return this.#pieces.text;
  }

  private push(text: string): void {
    this.#pieces.push(text);
  }

  /** `line`: the end of a line and the indentation of this value. */
  private value(value: Value, line: string): void {
    if (value instanceof Dict) return this.dict(value, line);
    const items = value instanceof Tuple ? value.items : value;
    if (Array.isArray(items)) return this.list(items as readonly Value[], line);
    this.push(this.scalar(value));
  }

  private scalar(value: Value): string {
    if (value === null) return 'null';
    if (typeof value === 'string') return this.text(value);
    if (value instanceof Markup) return this.text(value.text);
    if (typeof value === 'boolean') return String(value);
    if (isInteger(value)) return String(value);
    if (value instanceof Float) return jsonFloat(value.value);
    throw new TemplateError(`Object of type ${typeName(value)} is not JSON serializable`);
  }

  private list(items: readonly Value[], line: string): void {
    if (items.length === 0) return this.push('[]');
    const inner = this.begin('[', line);
    items.forEach((item, i) => {
      if (i > 0) this.separate(inner);
      this.value(item, inner);
    });
    this.end(']', line);
  }

  private dict(dict: Dict, line: string): void {
    if (dict.size === 0) return this.push('{}');
    const inner = this.begin('{', line);
    const entries = Array.from(dict.entries());
    if (this.#layout.sorted) entries.sort(([a], [b]) => order(a, b));
    entries.forEach(([key, value], i) => {
      if (i > 0) this.separate(inner);
      this.push(this.key(key) + this.#layout.afterKey);
      this.value(value, inner);
    });
    this.end('}', line);
  }

  private begin(bracket: string, line: string): string {
    const { indent } = this.#layout;
    this.push(bracket);
    if (indent === undefined) return line;
    this.push(line + indent);
    return line + indent;
  }

  private separate(line: string): void {
    this.push(this.#layout.between + (this.#layout.indent === undefined ? '' : line));
  }

  private end(bracket: string, line: string): void {
    this.push((this.#layout.indent === undefined ? '' : line) + bracket);
  }

  private key(key: Value): string {
    if (typeof key === 'string') return this.text(key);
    if (key === null || isNumber(key)) return `"${this.scalar(key)}"`;
    throw new TemplateError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
  }

  private text(text: string): string {
    const escaped = text.replace(ESCAPED, escape);
    return `"${this.#layout.ascii ? escaped.replace(NOT_ASCII, escape) : escaped}"`;
  }
}

/** Quotes, backslashes, and the control characters before the blank. */
const ESCAPED = /[^ !#-[\]-\uffff]/g;
/** U+FDD0 to U+FDEF are not escaped: see print.ts. */
const NOT_ASCII = /[\x7f-\ufdcf\ufdf0-\uffff]/g;

const SHORT: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

function escape(character: string): string {
  return SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function jsonFloat(value: number): string {
  if (Number.isFinite(value)) return printFloat(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}
