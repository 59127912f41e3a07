/** Splits and joins text as Python does. */
import { chargeText, joined } from './budget.js';
import { BLANK, charactersOf } from './characters.js';
import { TemplateError } from './errors.js';
import { indexOf, isQuick, lastIndexOf } from './search.js';

const BLANKS = new RegExp(`[${BLANK}]+`, 'g');

/** Splits at blanks; blanks at both ends do not count, and the part after the last cut keeps its own. */
export function splitBlanks(text: string, limit: number, fromRight: boolean): string[] {
  const words: { begin: number; end: number }[] = [];
  let at = 0;
  for (const { 0: blanks, index } of text.matchAll(BLANKS)) {
    if (index > at) words.push({ begin: at, end: index });
    at = index + blanks.length;
  }
  if (at < text.length) words.push({ begin: at, end: text.length });
  const cut = ({ begin, end }: { begin: number; end: number }) => text.slice(begin, end);
  if (words.length <= limit) return words.map(cut);
  if (!fromRight) return [...words.slice(0, limit).map(cut), text.slice(words[limit]!.begin)];
  const kept = limit === 0 ? [] : words.slice(-limit);
  const before = words[words.length - limit - 1]!;
  return [text.slice(0, before.end), ...kept.map(cut)];
}

export function splitText(text: string, separator: string, limit: number, fromRight: boolean) {
  if (separator === '') throw new TemplateError('empty separator');
  const parts: string[] = [];
  if (!fromRight) {
    let at = 0;
    for (let n = 0; n < limit; n++) {
      const next = indexOf(text, separator, at);
      if (next < 0) break;
      parts.push(text.slice(at, next));
      at = next + separator.length;
    }
    return [...parts, text.slice(at)];
  }
  let end = text.length;
  for (let n = 0; n < limit && end >= separator.length; n++) {
    const next = lastIndexOf(text, separator, end - separator.length);
    if (next < 0) break;
    parts.push(text.slice(next + separator.length, end));
    end = next;
  }
  return [text.slice(0, end), ...parts.reverse()];
}

/** A `count` below 0 means all. */
export function replaceText(text: string, old: string, by: string, count: number): string {
  const limit = count < 0 ? Infinity : count;
  if (old !== '') {
    const length = text.length + Math.min(limit, text.length) * Math.max(0, by.length - old.length);
    // A text that is certainly short need not be counted first.
    if (limit === Infinity && length <= text.length + 4096 && isQuick(text, old)) {
      chargeText(length);
      return text.replaceAll(old, () => by);
    }
    return joined(splitText(text, old, limit, false), by);
  }
  const characters = charactersOf(text);
  const places = Math.min(limit, characters.length + 1);
  chargeText(text.length + places * by.length);
  return (
    characters.map((one, i) => (i < places ? by + one : one)).join('') +
    (places > characters.length ? by : '')
  );
}
