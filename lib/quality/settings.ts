/** The settings that are compared: options of the engine, as a person writes them on a command line. */
import { integerIn, isName, isPath, oneOf, ownOnly } from '../checks/check-options.js';
import { isCombine } from '../engine/given-context.js';
import type { Combine } from '../engine/given-context.js';
import { CachalotError, invalidArgument } from '../errors.js';
import { isCompression } from '../options/compress-options.js';
import type { Compression } from '../options/compress-options.js';
import { isDraftContext } from '../options/draft-context.js';
import type { DraftContext } from '../options/draft-context.js';
import { LOAD, readLoadOptions } from '../options/load-options.js';
import type { LoadOptions } from '../options/load-options.js';
import { parseJson } from '../text/parse-json.js';

export interface Setting {
  name: string;
  /** Another file of weights than the baseline's. */
  model?: string;
  /** Options of `Engine.load` that differ from the baseline's. */
  load: LoadOptions;
  /** Of requests. */
  compress?: Compression;
  /** Of requests, of an engine with a draft model. */
  draftContext?: DraftContext;
  /** The context is cut into so many pieces, which are computed by themselves and stand together. */
  combine?: Combine;
  pieces?: number;
  /** The context is a revision of another text. */
  revise?: 'prefix' | 'moved';
}

/** What all settings are compared with. */
export const BASELINE = 'baseline';

const OWN = ['model', 'compress', 'draftContext', 'combine', 'pieces', 'revise'];
/** Options of `Engine.load` that say how to load, and nothing of the answers. */
const NOT_HERE = ['signal', 'onProgress', 'cacheDir', 'checkInvariants'];
const LOADED = Object.keys(LOAD).filter((name) => !NOT_HERE.includes(name));

/** NAME=JSON: {"model": ..., "compress": ..., "draftContext": ..., "combine": ..., "revise": ..., and any option of `Engine.load`}. Throws invalid_argument. */
export function parseSetting(text: string): Setting {
  const at = text.indexOf('=');
  const name = text.slice(0, at).trim();
  if (at < 0 || name === '' || name === BASELINE)
    throw new CachalotError(
      'invalid_argument',
      `a setting is NAME=JSON, with a name other than "${BASELINE}"; received "${text}"`,
    );
  isName('setting', name);
  const value = parseJson(text.slice(at + 1), `the setting "${name}"`, 'invalid_argument');
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject) throw invalidArgument(`setting "${name}"`, 'a JSON object', value);
  return readSetting(name, value as Record<string, unknown>);
}

function readSetting(name: string, given: Record<string, unknown>): Setting {
  const unknown = Object.keys(given).find((key) => ![...OWN, ...LOADED].includes(key));
  if (unknown !== undefined)
    throw new CachalotError(
      'invalid_argument',
      `unknown option \`${unknown}\` of the setting "${name}"; known are ${[...OWN, ...LOADED].join(', ')}`,
    );
  const { model, compress, draftContext, combine, pieces, revise, ...load } = given;
  if (model !== undefined) isPath('model', model);
  if (compress !== undefined) isCompression('compress', compress);
  const follows =
    draftContext === undefined ? undefined : isDraftContext('draftContext', draftContext);
  if (combine !== undefined) isCombine('combine', combine);
  if (pieces !== undefined) integerIn(1, 1024)('pieces', pieces);
  if (revise !== undefined) oneOf('prefix', 'moved')('revise', revise);
  const arranged = { combine, pieces, revise } as Pick<Setting, 'combine' | 'pieces' | 'revise'>;
  return {
    name,
    load: { ...readLoadOptions(load) },
    ...(model === undefined ? {} : { model: model as string }),
    ...(compress === undefined ? {} : { compress: compress as Compression }),
    ...(follows === undefined ? {} : { draftContext: follows }),
    ...ownOnly(arranged),
  };
}

/** Refuses two settings of one name. */
export function checkSettings(settings: readonly Setting[]): void {
  const names = settings.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw invalidArgument('setting', 'a name of its own for each', twice);
}

/** Settings of one key can share an engine. */
export function engineKey({ model, load }: Pick<Setting, 'model' | 'load'>): string {
  return JSON.stringify([model ?? '', Object.entries(load).sort()]);
}
