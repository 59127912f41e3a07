/** Adds to errors of damaged downloads how to fetch the model again. */
import { CachalotError } from '../errors.js';
import { shown } from '../net/send.js';
import { ALIASES } from './names/aliases.js';
import { isSource } from './names/source.js';

/** The error of reading `model`, with advice if the model lies in the cache folder and its files are not sound. */
export function withForceAdvice(error: unknown, model: unknown): unknown {
  if (typeof model !== 'string') return error; // then the error says so itself
  const isOurs = isSource(model) || Object.hasOwn(ALIASES, model);
  if (!isOurs || !(error instanceof CachalotError)) return error;
  if (!/^(file_|tokenizer_invalid$)/.test(error.code)) return error;
  // An address may contain a signature, which must not appear in a log.
  const name = /^https?:/.test(model) ? shown(model) : model;
  const advice = `if what was fetched is damaged, \`cachalot pull --force ${name}\` fetches it anew`;
  return new CachalotError(error.code, `${error.message}; ${advice}`, { cause: error });
}
