/** A model that was fetched and is damaged: how to be rid of it. */
import { CachalotError } from '../errors.js';
import { ALIASES } from './aliases.js';
import { isSource } from './source.js';

/** What was thrown when `model` was read, with what to do if it lies in the cache folder and its files are not sound. */
export function withForceAdvice(error: unknown, model: unknown): unknown {
  if (typeof model !== 'string') return error; // which is what it says
  const isOurs = isSource(model) || Object.hasOwn(ALIASES, model);
  if (!isOurs || !(error instanceof CachalotError)) return error;
  if (!/^(file_|tokenizer_invalid$)/.test(error.code)) return error;
  const advice = `if what was fetched is damaged, \`cachalot pull --force ${model}\` fetches it anew`;
  return new CachalotError(error.code, `${error.message}; ${advice}`, { cause: error });
}
