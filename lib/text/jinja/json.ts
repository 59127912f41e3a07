/** Python's json.dumps, as transformers' filter `tojson` calls it. */
import { Bound } from './arguments.js';
import { Pieces } from './budget.js';
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
  const indent = bound.get('indent') ?? null;
  const separators = bound.get('separators') ?? null;
  const given2 = separators instanceof Tuple ? separators.items : separators;
  if (given2 !== null && !(Array.isArray(given2) && given2.every((one) => typeof one === 'string')))
    throw new TemplateError('tojson expects two texts for "separators"');
  const [between, afterKey, ...more] = (given2 as string[] | null) ?? [
    indent === null ? ', ' : ',',
    ': ',
  ];
  if (afterKey === undefined || more.length > 0)
    throw new TemplateError('tojson expects two texts for "separators"');
  const writer = new JsonWriter({
    indent:
      typeof indent === 'string' || indent === null
        ? (indent ?? undefined)
        : ' '.repeat(Math.min(1000, Math.max(0, bound.index('indent', 0)))),
    between: between!,
    afterKey,
    ascii: bound.flag('ensure_ascii'),
    sorted: bound.flag('sort_keys'),
  });
  return writer.write(value);
}

/** Writes piece by piece, so that it can stop where the text becomes too long. */
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
    const escaped = text.replace(/["\\\0-\x1f]/g, escape);
    // Not U+FDD0 to U+FDEF: see print.ts.
    return `"${this.#layout.ascii ? escaped.replace(/[\x80-\ufdcf\ufdf0-\uffff]/g, escapeLong) : escaped}"`;
  }
}

const SHORT: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

const escape = (character: string) => SHORT[character] ?? escapeLong(character);

function escapeLong(character: string): string {
  if (character === '\x7f') return character;
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function jsonFloat(value: number): string {
  if (Number.isFinite(value)) return printFloat(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}
