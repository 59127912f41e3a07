/** `--rope`: a scaling with its factor in few characters, a table in a file, or all options as JSON. */
import { InvalidArgumentError } from 'commander';

import { CachalotError } from '../errors.js';
import { readTextFile } from '../files/regular-file.js';
import { isRope } from '../options/rope-options.js';
import type { RopeOptions } from '../options/rope-options.js';
import { parseJson } from '../text/parse-json.js';

export const ROPE_HELP =
  'stretch positions over longer contexts: linear:2, ntk:2, yarn:4, longrope, none, table:FILE (of `cachalot rope`), or JSON';

/** What the flag says; a file is read later. */
export type RopeFlag = RopeOptions | { file: string };

export function ropeFlag(text: string): RopeFlag {
  if (text.startsWith('table:') && text.length > 6) return { file: text.slice(6) };
  const value = text.trimStart().startsWith('{') ? json(text) : short(text);
  try {
    return isRope('rope', value);
  } catch (error) {
    if (!(error instanceof CachalotError)) throw error;
    throw new InvalidArgumentError(`${error.message}.`);
  }
}

/** Throws io, or invalid_argument for a file that is no table. */
export async function readRope(flag: RopeFlag): Promise<RopeOptions> {
  if (!('file' in flag)) return flag;
  const value = parseJson(await readTextFile(flag.file), flag.file, 'invalid_argument');
  return isRope(flag.file, Array.isArray(value) ? { table: value } : value);
}

function json(text: string): unknown {
  try {
    return parseJson(text, '--rope', 'invalid_argument');
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

function short(text: string): unknown {
  const [, scaling, factor] = /^([a-z]+)(?::(\d+(?:\.\d+)?))?$/.exec(text) ?? [];
  if (scaling === undefined)
    throw new InvalidArgumentError(
      `expected a scaling and a factor, as linear:2, or table:FILE, or JSON; received '${text}'.`,
    );
  return factor === undefined ? { scaling } : { scaling, factor: Number(factor) };
}
