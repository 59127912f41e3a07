/** Filters of one value: text, numbers, defaults. Filters over items are in list-filters.ts. */
import { attributeOnly } from './access.js';
import { Bound } from './arguments.js';
import { joined, measured, repeated } from './budget.js';
import { BLANK, capitalize, charactersOf, lengthOf, splitLines, strip } from './characters.js';
import { TemplateError, unsupported } from './errors.js';
import { toJson } from './json.js';
import type { Filter } from './language.js';
import { LIST_FILTERS } from './list-filters.js';
import { calculate, negate, round, toNumber } from './numbers.js';
import { escapeHtml, isTrue, order } from './operators.js';
import { parseFloat, parseWhole } from './parse-number.js';
import { formatPercent } from './percent-format.js';
import { print } from './print.js';
import { replaceText } from './split.js';
import { centered } from './text-methods.js';
import { Dict, Float, Markup, Tuple, Undefined, isNumber, toText, wrongType } from './values.js';
import type { Value } from './values.js';

/** A filter of text without arguments; text marked as safe stays marked. */
const ofText =
  (name: string, act: (text: string) => string): Filter =>
  (value, given) => {
    void new Bound(name, given, '');
    const made = measured(act(print(value)));
    return value instanceof Markup ? new Markup(made) : made;
  };

const byDefault: Filter = (value, given) => {
  const bound = new Bound('default', given, 'default_value boolean');
  const isMissing = value instanceof Undefined || (bound.flag('boolean') && !isTrue(value));
  return isMissing ? bound.or('default_value', '') : value;
};

const escape: Filter = (value, given) => {
  void new Bound('escape', given, '');
  return value instanceof Markup ? value : new Markup(escapeHtml(print(value)));
};

const TEXT: Record<string, Filter> = {
  capitalize: ofText('capitalize', capitalize),
  center: (value, given) =>
    centered(plain(value, 'center'), new Bound('center', given, 'width').index('width', 80)),
  format(value, given) {
    const { positional, named } = given;
    if (positional.length > 0 && named.size > 0)
      throw new TemplateError('format takes values by name or by place, not both');
    const values = named.size > 0 ? Dict.of(named) : new Tuple(positional);
    return formatPercent(plain(value, 'format'), values);
  },
  indent(value, given) {
    const bound = new Bound('indent', given, 'width first blank');
    const text = toText(value, 'indent');
    const width = bound.or('width', 4);
    const by = typeof width === 'string' ? width : repeated(' ', bound.index('width', 4));
    const blank = bound.flag('blank');
    const lines = splitLines(`${text}\n`).map((line, i) =>
      (i > 0 && (blank || line !== '')) || (i === 0 && bound.flag('first')) ? [by, line] : [line],
    );
    return joined(lines.flatMap((line, i) => (i > 0 ? ['\n', ...line] : line)));
  },
  lower: ofText('lower', (text) => text.toLowerCase()),
  replace(value, given) {
    const bound = new Bound('replace', given, 'old! new! count');
    const [old, by] = [print(bound.get('old')!), print(bound.get('new')!)];
    return replaceText(print(value), old, by, bound.optionalIndex('count') ?? -1);
  },
  title: (value, given) => (
    void new Bound('title', given, ''),
    measured(title(plain(value, 'title')))
  ),
  trim(value, given) {
    const chars = new Bound('trim', given, 'chars').optionalText('chars');
    const made = measured(strip(print(value), chars, 'both'));
    return value instanceof Markup ? new Markup(made) : made;
  },
  truncate(value, given) {
    const bound = new Bound('truncate', given, 'length killwords end leeway');
    const [text, length, end] = [
      toText(value, 'truncate'),
      bound.index('length', 255),
      bound.text('end', '...'),
    ];
    const leeway = bound.optionalIndex('leeway') ?? 5;
    const kept = length - lengthOf(end);
    if (kept < 0 || leeway < 0) throw new TemplateError('truncate is given a wrong length');
    if (lengthOf(text) <= length + leeway) return text;
    const cut = charactersOf(text).slice(0, kept).join('');
    const at = bound.flag('killwords') ? -1 : cut.lastIndexOf(' ');
    return measured((at < 0 ? cut : cut.slice(0, at)) + end);
  },
  upper: ofText('upper', (text) => text.toUpperCase()),
  urlencode(value, given) {
    void new Bound('urlencode', given, '');
    if (typeof value !== 'string') throw unsupported('urlencode of what is no text');
    if (/[\ud800-\udfff]/.test(value.replace(/[\ud800-\udbff][\udc00-\udfff]/g, '')))
      throw new TemplateError('urlencode is given half a character');
    const encoded = encodeURIComponent(value).replaceAll('%2F', '/');
    return measured(
      encoded.replace(/[!*'()]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`),
    );
  },
  wordcount: (value, given) => (
    void new Bound('wordcount', given, ''),
    Array.from(print(value).matchAll(/[\p{L}\p{N}_]+/gu)).length
  ),
};

/** Printed; text that is marked as safe is refused. */
function plain(value: Value, filter: string): string {
  if (value instanceof Markup) throw unsupported(`${filter} of text marked as safe`);
  return print(value);
}

const WORD_ENDS = new RegExp(`([-${BLANK}({\\[<]+)`);

/** Words begin after blanks, hyphens and opening brackets; the rest of a word becomes lower case. */
function title(text: string): string {
  return text
    .split(WORD_ENDS)
    .map((word) => {
      const [first = '', ...rest] = charactersOf(word);
      return first.toUpperCase() + rest.join('').toLowerCase();
    })
    .join('');
}

const NUMBERS: Record<string, Filter> = {
  abs(value, given) {
    void new Bound('abs', given, '');
    if (!isNumber(value)) throw wrongType('abs', 'a number', value);
    return order(value, 0) < 0 ? negate(value) : calculate('+', value, 0);
  },
  float(value, given) {
    const bound = new Bound('float', given, 'default');
    const read = typeof value === 'string' ? parseFloat(value) : undefined;
    if (value instanceof Undefined) throw new TemplateError(value.message);
    if (isNumber(value)) return value instanceof Float ? value : new Float(toNumber(value));
    return read === undefined ? bound.or('default', new Float(0)) : new Float(read);
  },
  int(value, given) {
    const bound = new Bound('int', given, 'default base');
    if (value instanceof Undefined) throw new TemplateError(value.message);
    return parseWhole(value, bound.index('base', 10)) ?? bound.or('default', 0);
  },
  round(value, given) {
    const bound = new Bound('round', given, 'precision method');
    const [precision, method] = [bound.index('precision', 0), bound.text('method', 'common')];
    if (!isNumber(value)) throw wrongType('round', 'a number', value);
    if (method === 'common') return round(value, precision);
    if (method !== 'ceil' && method !== 'floor')
      throw new TemplateError('round knows the methods common, ceil and floor');
    const factor = 10 ** precision;
    return new Float(Math[method](toNumber(value) * factor) / factor);
  },
};

const OTHERS: Record<string, Filter> = {
  attr: (value, given) => attributeOnly(value, new Bound('attr', given, 'name!').text('name')),
  d: byDefault,
  default: byDefault,
  e: escape,
  escape,
  forceescape: (value, given) => (
    void new Bound('forceescape', given, ''),
    new Markup(escapeHtml(print(value)))
  ),
  safe: (value, given) => (
    void new Bound('safe', given, ''),
    value instanceof Markup ? value : new Markup(print(value))
  ),
  string: (value, given) => (
    void new Bound('string', given, ''),
    value instanceof Markup ? value : print(value)
  ),
  tojson: toJson,
};

/** Filters that jinja2 has and we do not. */
const REFUSED = [
  'filesizeformat',
  'pprint',
  'random',
  'striptags',
  'urlize',
  'wordwrap',
  'xmlattr',
];

const FILTERS = new Map<string, Filter>(
  Object.entries({ ...TEXT, ...NUMBERS, ...OTHERS, ...LIST_FILTERS }),
);
for (const name of REFUSED)
  FILTERS.set(name, () => {
    throw unsupported(`the filter "${name}"`);
  });

export function findFilter(name: string): Filter | undefined {
  return FILTERS.get(name);
}
