/**
 * Limits of one rendering. A worker's heap limit ends the worker, but a single allocation that passes the limit ends
 * the whole process. So every text and list that can be long is measured before it is made: docs/decisions/0006.
 */
import { TooLargeError, TooLongError } from './errors.js';

/** Characters of one text or conversation, rendered or not: far more than any context holds. */
export const MAX_TEXT = 4 << 20;
const MAX_ITEMS = 200_000;
/** Characters and items that one rendering may make in all, and how many more for each character or value that it receives. */
const MAX_MADE = 128 << 20;
const MADE_PER_GIVEN = 192;
/** Characters and values that it may receive: messages, and as much again for tools and documents. */
const MAX_GIVEN = 2 * MAX_TEXT;
/** Statements, turns of loops and calls. */
const MAX_STEPS = 20_000_000;
/** The cost of an object beside its items. */
const OBJECT = 8;

let [received, made, maxMade, steps] = [0, 0, MAX_MADE, 0];

/** Called before each rendering. */
export function startBudget(): void {
  [received, made, maxMade, steps] = [0, 0, MAX_MADE, 0];
}

/** A long conversation takes more work: the more a rendering receives, the more it may make. */
export function receive(size: number): void {
  received += size;
  if (received > MAX_GIVEN) throw new TooLargeError('is given too large variables');
  maxMade = MAX_MADE + MADE_PER_GIVEN * Math.min(received, MAX_TEXT);
}

export function step(): void {
  if (++steps > MAX_STEPS) throw new TooLongError(`takes more than ${MAX_STEPS} steps`);
}

/** Call before a text of so many characters is made. */
export function chargeText(length: number): void {
  made += length;
  if (!(length <= MAX_TEXT) || made > maxMade) throw tooLarge();
}

/** Call before a list of so many items is made, or as each of them is added. */
export function chargeItems(count: number): void {
  made += count + OBJECT;
  if (!(count <= MAX_ITEMS) || made > maxMade) throw tooLarge();
}

/** A new text is measured; an existing one is shared. */
export function measured(text: string): string {
  chargeText(text.length);
  return text;
}

/** A text that is joined from many, which fails before it is too long. */
export class Pieces {
  #text = '';

  get text(): string {
    return this.#text;
  }

  push(text: string): void {
    chargeText(text.length);
    if (this.#text.length + text.length > MAX_TEXT) throw tooLarge();
    this.#text += text;
  }
}

/** All items, measured one by one because their number is not known. */
export function collect<T>(items: Iterable<T>): T[] {
  const list: T[] = [];
  for (const item of items) {
    if (list.length >= MAX_ITEMS) throw tooLarge();
    list.push(item);
  }
  chargeItems(list.length);
  return list;
}

/** Joins after adding up the lengths, since many parts may be the same long text. */
export function joined(parts: readonly string[], between = ''): string {
  let length = between.length * Math.max(0, parts.length - 1);
  for (const part of parts) length += part.length;
  chargeText(length);
  return parts.join(between);
}

export function repeated(text: string, count: number): string {
  if (!(count > 0) || text === '') return '';
  chargeText(text.length * count);
  return text.repeat(count);
}

function tooLarge(): TooLargeError {
  return new TooLargeError('makes too large values');
}
