/** Turns values of flags from text into what the engine takes. The engine's own limits are checked before a model is fetched or loaded. */
import { availableParallelism, cpus } from 'node:os';

import { InvalidArgumentError } from 'commander';

import { isTemplateOptions } from '../chat/template-options.js';
import type { TemplateOptions } from '../chat/template-options.js';
import type { Check } from '../checks/check-options.js';
import { integerIn, isStopList } from '../checks/check-options.js';
import { CachalotError } from '../errors.js';
import { readLoadOptions } from '../options/load-options.js';
import type { LoadOptions } from '../options/load-options.js';
import { parseJson } from '../text/parse-json.js';

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Plain decimals, possibly with an exponent. Other text ("", " 5", "0x10", "Infinity") stays as it is, for a check to refuse. */
function read(text: string): number | string {
  return DECIMAL.test(text) ? Number(text) : text;
}

/** Turns an error of an option's check into an error of the flag. */
function refusing<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CachalotError)) throw error;
    throw new InvalidArgumentError(`${error.message.replace(/ for `[^`]*`,/, ',')}.`);
  }
}

/** A number that passes a check. */
export function numberBy(check: Check): (text: string) => number {
  return (text) => refusing(() => check('', read(text)) as number);
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return numberBy(integerIn(min, max));
}

/** A value of an option of `Engine.load`; numbers are parsed. */
export function loadValue<K extends keyof LoadOptions>(name: K): (text: string) => LoadOptions[K] {
  return (text) => refusing(() => readLoadOptions({ [name]: read(text) })[name]);
}

/** More threads per logical processor, or in all, are taken for a typing error. */
const THREADS_PER_PROCESSOR = 4;
const FEW_THREADS = 16;

export function threads(text: string): number {
  const processors = Math.max(availableParallelism(), cpus().length);
  const most = Math.max(THREADS_PER_PROCESSOR * processors, FEW_THREADS);
  const count = read(text);
  if (typeof count === 'number' && count > most)
    throw new InvalidArgumentError(
      `expected at most ${most} threads: this machine has ${processors} logical processors.`,
    );
  return integer(1, most)(text);
}

/** For options that may be given several times. */
export function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, notEmpty(value)];
}

export function notEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('it is empty.');
  return text;
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', '\\': '\\' };

/** A stop string, in which \n, \t and \r stand for characters that are hard to type in a shell. */
export function stopText(value: string, earlier: string[] = []): string[] {
  const text = notEmpty(value).replace(/\\([^]?)/g, (escape, letter: string) => {
    const sign = ESCAPES[letter];
    if (sign !== undefined) return sign;
    throw new InvalidArgumentError(
      `'${escape}' is none of \\n, \\t, \\r and \\\\; a backslash itself is '\\\\'.`,
    );
  });
  return refusing(() => isStopList('', [...earlier, text]));
}

/** Variables of a chat template, as a JSON object. */
export function templateOptions(text: string): TemplateOptions {
  return refusing(() => isTemplateOptions('', parseJson(text, 'it', 'invalid_argument')));
}
