/** Options of guessing: tokens that are tried before they are drawn. They change how fast an answer comes, never the answer. */
import { checkOptions, integerIn, isBoolean, isPath, isString } from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';
import type { NativeDraft } from '../native.js';
import { checksOf, fillIn } from './option-table.js';
import type { OptionTable } from './option-table.js';

/** Which guesses are tried. A guess is kept if it is what the model draws, so the answer is always the same. */
export interface DraftOptions {
  /** Copies what followed the last tokens before: in the text, or in other texts of the namespace (CopySpec, arXiv 2502.08923). Default true. */
  lookup?: boolean | undefined;
  /** Tries the likeliest tokens after each token, as the model last saw them (Token Recycling, arXiv 2408.08696). Default true. */
  recycle?: boolean | undefined;
  /** Tries what mostly followed the last two tokens in the text (ADED, arXiv 2407.12021). Default false. */
  trigram?: boolean | undefined;
  /** Tries what was drawn for a place while the tokens before it were wrong (SJD, arXiv 2410.01699). Default false. */
  jacobi?: boolean | undefined;
  /** Tries what the engine's draft model draws. Default: true if the engine was loaded with one. */
  model?: boolean | undefined;
  /** The most tokens that are guessed ahead. Default 16. */
  maxTokens?: number | undefined;
}

/** "auto": the guesses that the engine can make, where measured costs say that they pay. */
export type Draft = 'auto' | false | DraftOptions;

/** What an engine guesses unless a request says otherwise. */
export interface LoadedDraftOptions extends Omit<DraftOptions, 'model'> {
  /** A smaller model of the same vocabulary, named as models are: it guesses what this one will draw. Default: none. */
  model?: string | undefined;
}

export type LoadedDraft = 'auto' | false | LoadedDraftOptions;

const TABLE = {
  lookup: { check: isBoolean, byDefault: true },
  recycle: { check: isBoolean, byDefault: true },
  trigram: { check: isBoolean, byDefault: false },
  jacobi: { check: isBoolean, byDefault: false },
  model: { check: isBoolean, byDefault: true },
  maxTokens: { check: integerIn(1, 64), byDefault: 16 },
} as const satisfies OptionTable<keyof DraftOptions>;

const checks = checksOf(TABLE);

function isObject(name: string, value: unknown): object {
  if (typeof value === 'object' && value !== null) return value;
  throw invalidArgument(name, '"auto", false or an object of options', value);
}

export function isDraft(name: string, value: unknown): Draft {
  if (value === 'auto' || value === false) return value;
  return checkOptions(isObject(name, value) as DraftOptions, checks, `${name}.`);
}

export function isLoadedDraft(name: string, value: unknown): LoadedDraft {
  if (value === 'auto' || value === false) return value;
  const given = isObject(name, value) as LoadedDraftOptions;
  return checkOptions(given, { ...checks, model: isPath }, `${name}.`);
}

/** The name of the draft model, and what requests guess by default. */
export function splitDraft(draft: LoadedDraft): { model: string | undefined; byDefault: Draft } {
  if (draft === 'auto' || draft === false) return { model: undefined, byDefault: draft };
  const { model, ...rest } = draft;
  return { model, byDefault: rest };
}

/** As long a text as a context may be. */
const MOST_CHARACTERS = 1 << 22;

export function isPrediction(name: string, value: unknown): string {
  const text = isString(name, value);
  if (text.length > MOST_CHARACTERS)
    throw invalidArgument(name, `at most ${MOST_CHARACTERS} characters`, text);
  return text;
}

/** As C++ receives it; undefined: nothing is guessed. `prediction`: the ids of the text that is expected. */
export function nativeDraft(draft: Draft, prediction?: Int32Array): NativeDraft | undefined {
  if (draft === false) return undefined;
  const options = fillIn(TABLE, draft === 'auto' ? {} : draft);
  return { ...options, prediction: prediction ?? new Int32Array(0) };
}
