/** A model that was fetched and is damaged: how to be rid of it. */
import { CachalotError } from '../errors.js';
import { shown } from '../net/send.js';
import { ALIASES } from './names/aliases.js';
import { isSource } from './names/source.js';

/** What was thrown when `model` was read, with what to do if it lies in the cache folder and its files are not sound. */
export function withForceAdvice(error: unknown, model: unknown): unknown {
  if (typeof model !== 'string') return error; // which is what it says
  const isOurs = isSource(model) || Object.hasOwn(ALIASES, model);
  if (!isOurs || !(error instanceof CachalotError)) return error;
  if (!/^(file_|tokenizer_invalid$)/.test(error.code)) return error;
  // An address may hold a signature, which belongs into no log.
  const name = /^https?:/.test(model) ? shown(model) : model;
  const advice = `if what was fetched is damaged, \`cachalot pull --force ${name}\` fetches it anew`;
  return new CachalotError(error.code, `${error.message}; ${advice}`, { cause: error });
}
