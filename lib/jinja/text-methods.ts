/** The methods of Python's text. */
import { Bound } from './arguments.js';
import { chargeItems, chargeText, collect, joined, measured, repeated } from './budget.js';
import {
  CLASSES,
  capitalize,
  charactersOf,
  foldCase,
  lengthOf,
  splitLines,
  strip,
  swapCase,
  titleOf,
} from './characters.js';
import { TemplateError } from './errors.js';
import { iterate } from './operators.js';
import { pad } from './percent-format.js';
import type { Align } from './percent-format.js';
import { countOf, indexOf, lastIndexOf } from './search.js';
import { replaceText, splitBlanks, splitText } from './split.js';
import { formatText } from './text-format.js';
import type { Access } from './text-format.js';
import { Tuple, toText } from './values.js';
import type { Arguments, Value } from './values.js';

type TextMethod = (text: string, given: Arguments, access: Access) => Value;

/** A method without arguments. */
const plain =
  (name: string, act: (text: string) => Value): TextMethod =>
  (text, given) => {
    void new Bound(name, given, '');
    const made = act(text);
    return typeof made === 'string' ? measured(made) : made;
  };

const stripper =
  (name: string, side: 'left' | 'right' | 'both'): TextMethod =>
  (text, given) =>
    measured(strip(text, new Bound(name, given, 'chars /').optionalText('chars'), side));

const padder =
  (name: string, align: Align): TextMethod =>
  (text, given) => {
    const bound = new Bound(name, given, 'width! fillchar /');
    const fill = bound.text('fillchar', ' ');
    if (lengthOf(fill) !== 1) throw new TemplateError(`${name} fills with one character`);
    return align === '^'
      ? centered(text, bound.index('width', 0), fill)
      : pad(text, bound.index('width', 0), align, fill);
  };

/** str.center puts the odd blank on the other side than a format does. */
export function centered(text: string, width: number, fill = ' '): string {
  const missing = width - lengthOf(text);
  if (missing <= 0) return text;
  chargeText(width);
  const before = Math.floor(missing / 2) + (missing & width & 1);
  return repeated(fill, before) + text + repeated(fill, missing - before);
}

/** Where a part of the text begins and ends, in characters; undefined if it begins after the end of the text. */
function partOf(text: string, bound: Bound): { part: string; offset: number } | undefined {
  const [start, stop] = [bound.optionalIndex('start'), bound.optionalIndex('end')];
  if (start === undefined && stop === undefined) return { part: text, offset: 0 };
  const characters = charactersOf(text);
  const place = (index: number) => (index < 0 ? Math.max(0, index + characters.length) : index);
  const offset = place(start ?? 0);
  const end = place(stop ?? characters.length);
  if (offset > characters.length || offset > end) return undefined;
  return { part: characters.slice(offset, end).join(''), offset };
}

const affix =
  (name: string, has: (text: string, affix: string) => boolean): TextMethod =>
  (text, given) => {
    const bound = new Bound(name, given, 'affix! start end /');
    const affixes = bound.get('affix')!;
    const part = partOf(text, bound)?.part;
    const list = affixes instanceof Tuple ? affixes.items : [affixes];
    const texts = list.map((one) => toText(one, `${name} (a list is no tuple)`));
    return part !== undefined && texts.some((one) => has(part, one));
  };

const finder =
  (name: string, last: boolean, mustFind: boolean): TextMethod =>
  (text, given) => {
    const bound = new Bound(name, given, 'sub! start end /');
    const [found, wanted] = [partOf(text, bound), bound.text('sub')];
    const at = found ? (last ? lastIndexOf : indexOf)(found.part, wanted) : -1;
    if (at >= 0) return found!.offset + lengthOf(found!.part.slice(0, at));
    if (mustFind) throw new TemplateError(`${name}: substring not found`);
    return -1;
  };

const splitter =
  (name: string, fromRight: boolean): TextMethod =>
  (text, given) => {
    const bound = new Bound(name, given, 'sep maxsplit');
    const separator = bound.optionalText('sep');
    const most = bound.index('maxsplit', -1);
    const limit = most < 0 ? Infinity : most;
    const parts =
      separator === undefined
        ? splitBlanks(text, limit, fromRight)
        : splitText(text, separator, limit, fromRight);
    return texts(parts);
  };

function texts(parts: string[]): string[] {
  chargeItems(parts.length);
  chargeText(parts.reduce((n, part) => n + part.length, 0));
  return parts;
}

const partition =
  (name: string, last: boolean): TextMethod =>
  (text, given) => {
    const separator = new Bound(name, given, 'sep! /').text('sep');
    if (separator === '') throw new TemplateError('empty separator');
    const at = (last ? lastIndexOf : indexOf)(text, separator);
    if (at < 0) return new Tuple(last ? ['', '', text] : [text, '', '']);
    return new Tuple([text.slice(0, at), separator, text.slice(at + separator.length)]);
  };

const METHODS: Record<string, TextMethod> = {
  capitalize: plain('capitalize', capitalize),
  casefold: plain('casefold', foldCase),
  center: padder('center', '^'),
  count(text, given) {
    const bound = new Bound('count', given, 'sub! start end /');
    const [part, wanted] = [partOf(text, bound)?.part, bound.text('sub')];
    if (part === undefined) return 0;
    return wanted === '' ? lengthOf(part) + 1 : countOf(part, wanted);
  },
  endswith: affix('endswith', (text, end) => text.endsWith(end)),
  expandtabs(text, given) {
    const size = new Bound('expandtabs', given, 'tabsize').index('tabsize', 8);
    let column = 0;
    const parts = charactersOf(text).map((one) => {
      if (one === '\n' || one === '\r') column = 0;
      else if (one !== '\t') column++;
      else if (size <= 0) return '';
      else {
        const blanks = size - (column % size);
        column += blanks;
        return repeated(' ', blanks);
      }
      return one;
    });
    return joined(parts);
  },
  find: finder('find', false, false),
  format: (text, given, access) => formatText(text, given, access),
  index: finder('index', false, true),
  join(text, given) {
    const items = iterate(new Bound('join', given, 'iterable! /').get('iterable')!);
    return joined(
      collect(items).map((item) => toText(item, 'an item of join')),
      text,
    );
  },
  ljust: padder('ljust', '<'),
  lower: plain('lower', (text) => text.toLowerCase()),
  lstrip: stripper('lstrip', 'left'),
  partition: partition('partition', false),
  removeprefix(text, given) {
    const prefix = new Bound('removeprefix', given, 'prefix! /').text('prefix');
    return measured(text.startsWith(prefix) ? text.slice(prefix.length) : text);
  },
  removesuffix(text, given) {
    const suffix = new Bound('removesuffix', given, 'suffix! /').text('suffix');
    const has = suffix !== '' && text.endsWith(suffix);
    return measured(has ? text.slice(0, -suffix.length) : text);
  },
  replace(text, given) {
    const bound = new Bound('replace', given, 'old! new! count /');
    return replaceText(text, bound.text('old'), bound.text('new'), bound.index('count', -1));
  },
  rfind: finder('rfind', true, false),
  rindex: finder('rindex', true, true),
  rjust: padder('rjust', '>'),
  rpartition: partition('rpartition', true),
  rsplit: splitter('rsplit', true),
  rstrip: stripper('rstrip', 'right'),
  split: splitter('split', false),
  splitlines: (text, given) =>
    texts(splitLines(text, new Bound('splitlines', given, 'keepends').index('keepends', 0) !== 0)),
  startswith: affix('startswith', (text, begin) => text.startsWith(begin)),
  strip: stripper('strip', 'both'),
  swapcase: plain('swapcase', swapCase),
  title: plain('title', titleOf),
  upper: plain('upper', (text) => text.toUpperCase()),
  zfill(text, given) {
    const signed = /^[-+]/.test(text) ? text : ` ${text}`;
    const width = new Bound('zfill', given, 'width! /').index('width', 0);
    if (lengthOf(text) >= width) return text;
    const made = pad(signed, width + Number(signed !== text), '=', '0');
    return signed === text ? made : made.slice(1);
  },
};

for (const [name, check] of Object.entries(CLASSES))
  METHODS[name] = plain(name, name === 'isascii' ? check : (text) => text !== '' && check(text));

type AnyMethod = (of: Value, given: Arguments, access: Access) => Value;

export const TEXT_METHODS = METHODS as Record<string, AnyMethod>;
