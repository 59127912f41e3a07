/** `--compress`: a policy with its budget in few characters, or all options as JSON. */
import { InvalidArgumentError } from 'commander';

import { CachalotError } from '../errors.js';
import { isCompression } from '../options/compress-options.js';
import type { Compression } from '../options/compress-options.js';
import { parseJson } from '../text/parse-json.js';

export const COMPRESS_HELP =
  'keep fewer keys and values, from the end of the prompt on: snap:512 (keys), chelsea:25%, window:1024, or JSON with all options';

const SHORT = /^([a-z-]+):(\d+(?:\.\d+)?)(%?)$/;

/** "snap:512", "snap:25%", "snap:0.25", "window:1024" or {"policy": ...}. */
export function compression(text: string): Compression {
  const value = text.trimStart().startsWith('{') ? json(text) : short(text);
  try {
    isCompression('compress', value);
  } catch (error) {
    if (!(error instanceof CachalotError)) throw error;
    throw new InvalidArgumentError(`${error.message}.`);
  }
  return value as Compression;
}

function json(text: string): unknown {
  try {
    return parseJson(text, '--compress', 'invalid_argument');
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

function short(text: string): unknown {
  const [, policy, number, percent] = SHORT.exec(text) ?? [];
  if (policy === undefined)
    throw new InvalidArgumentError(
      `expected a policy and a number, as snap:512 or chelsea:25%, or JSON; received '${text}'.`,
    );
  const n = Number(number);
  if (policy === 'window') return { policy, window: percent === '%' ? text : n };
  const isShare = percent === '%' || n < 1;
  return isShare ? { policy, keep: percent === '%' ? n / 100 : n } : { policy, budget: n };
}
