/** Text as Python counts and classifies it: by code points, with Python's definitions of blanks and line ends. */
import { unsupported } from './errors.js';

const PAIR = /[\ud800-\udbff][\udc00-\udfff]/;

/** Python's str.isspace: true for U+0085 and the separators U+001C to U+001F, false for U+FEFF. */
export const BLANK =
  '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const IS_BLANK = new RegExp(`[${BLANK}]`);
const LINE_ENDS = '\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029';
const LINE_END = new RegExp(`\\r\\n|[${LINE_ENDS}]`, 'g');

export function lengthOf(text: string): number {
  return PAIR.test(text) ? charactersOf(text).length : text.length;
}

/** The code points, each as one element; some take two code units in a JavaScript string. */
export function charactersOf(text: string): string[] {
  return Array.from(text);
}

export function hasPairs(text: string): boolean {
  return PAIR.test(text);
}

/** str.strip and its siblings; `given`: characters to strip instead of blanks. */
export function strip(text: string, given: string | undefined, side: 'left' | 'right' | 'both') {
  const set = given === undefined ? undefined : new Set(given);
  const goes = (character: string) => (set ? set.has(character) : IS_BLANK.test(character));
  const characters = set && (hasPairs(text) || hasPairs(given!)) ? charactersOf(text) : text;
  let [begin, end] = [0, characters.length];
  if (side !== 'right') while (begin < end && goes(characters[begin]!)) begin++;
  if (side !== 'left') while (end > begin && goes(characters[end - 1]!)) end--;
  return typeof characters === 'string'
    ? characters.slice(begin, end)
    : characters.slice(begin, end).join('');
}

export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = [];
  let begin = 0;
  for (const { 0: end, index } of text.matchAll(LINE_END)) {
    lines.push(text.slice(begin, keepEnds ? index + end.length : index));
    begin = index + end.length;
  }
  if (begin < text.length) lines.push(text.slice(begin));
  return lines;
}

export const isBlank = (text: string) => new RegExp(`^[${BLANK}]+$`).test(text);

/** Title case: for letters that are two in one, only the first half becomes upper case. */
export function titleCase(character: string): string {
  if (/[\u01c4-\u01cc\u01f1-\u01f3\u1f80-\u1ffc]/.test(character))
    throw unsupported(`the title case of "${character}"`);
  if (/[\u10d0-\u10ff]/.test(character)) return character; // Georgian has no title case
  if (character === '\u0149') return '\u02bcN';
  const [first = '', ...rest] = charactersOf(character.toUpperCase());
  return first + rest.join('').toLowerCase();
}

/** Each character in lower case: a sigma at the end of a word has a form of its own. */
function smallLetters(text: string): string[] {
  const small = text.toLowerCase();
  let at = 0;
  return charactersOf(text).map((one) => small.slice(at, (at += one.toLowerCase().length)));
}

export function capitalize(text: string): string {
  const first = text === '' ? '' : String.fromCodePoint(text.codePointAt(0)!);
  return titleCase(first) + text.toLowerCase().slice(first.toLowerCase().length);
}

const isCased = (character: string) => /[\p{Lowercase}\p{Uppercase}\p{Lt}]/u.test(character);

/** str.title: every run of letters begins with an upper-case letter. */
export function titleOf(text: string): string {
  let inWord = false;
  const small = smallLetters(text);
  return charactersOf(text)
    .map((character, i) => {
      const made = inWord ? small[i]! : titleCase(character);
      inWord = isCased(character);
      return made;
    })
    .join('');
}

export function swapCase(text: string): string {
  const small = smallLetters(text);
  return charactersOf(text)
    .map((one, i) => {
      if (/\p{Lt}/u.test(one)) return one;
      return /\p{Uppercase}/u.test(one) ? small[i]! : one.toUpperCase();
    })
    .join('');
}

/** str.casefold: the lower case of the upper case of the lower case. */
export function foldCase(text: string): string {
  if (/[\u13a0-\u13fd\uab70-\uabbf]/.test(text)) throw unsupported('casefold of Cherokee');
  const fold = (one: string) =>
    one === '\u0131' ? one : one.toLowerCase().toUpperCase().toLowerCase();
  return /[^\0-\x7f]/.test(text) ? charactersOf(text).map(fold).join('') : text.toLowerCase();
}

const every = (pattern: string) => {
  const whole = new RegExp(`^(?:${pattern})+$`, 'u');
  return (text: string) => whole.test(text);
};

const hasNoOther = (wanted: RegExp, other: RegExp) => (text: string) =>
  wanted.test(text) && !other.test(text);

const noOtherNumbers = (name: string, check: (text: string) => boolean) => (text: string) => {
  if (/[\p{No}\p{Nl}\p{Script=Han}]/u.test(text)) throw unsupported(`${name} of "${text}"`);
  return check(text);
};

/** str.isalpha and its like. */
export const CLASSES: Record<string, (text: string) => boolean> = {
  isalpha: every('\\p{L}'),
  isalnum: every('[\\p{L}\\p{N}]'),
  isascii: (text) => !/[^\0-\x7f]/.test(text),
  isdecimal: every('\\p{Nd}'),
  isdigit: noOtherNumbers('isdigit', every('\\p{Nd}')),
  isnumeric: noOtherNumbers('isnumeric', every('\\p{Nd}')),
  isidentifier: (text) => /^[\p{ID_Start}_]\p{ID_Continue}*$/u.test(text),
  isspace: isBlank,
  istitle: (text) => /[\p{Lowercase}\p{Uppercase}\p{Lt}]/u.test(text) && titleOf(text) === text,
  islower: hasNoOther(/\p{Lowercase}/u, /[\p{Uppercase}\p{Lt}]/u),
  isupper: hasNoOther(/\p{Uppercase}/u, /[\p{Lowercase}\p{Lt}]/u),
};
