/**
 * A drafter that reads a shorter context than the model, and that the answer may follow (RAPID, Chen et al. 2025, arXiv 2502.20330).
 */
import { checkOptions, integerIn, isIntegerList, numberIn } from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';
import { checksOf, fillIn } from './option-table.js';
import type { OptionTable } from './option-table.js';

/** What the engine's draft model (`draft: { model }` of `Engine.load`, which may be the model itself) reads in place of the prompt. */
export interface DraftContext {
  /** How many tokens of the prompt it reads: the beginning, the end, and the pieces between that fit the end best. Default 512, or half of what the draft model has room for. */
  tokens?: number | undefined;
  /** The ids of a prompt of its own, in place of these. */
  prompt?: readonly number[] | Int32Array | undefined;
  /** How far the answer follows the drafter, from 0 (the model's own answer, to the bit) to 1000. Default 10, as in the paper. */
  factor?: number | undefined;
}

/** What a drafter has read, and how far the answer has followed it. */
export type DraftContextUsage = { tokens: number; factor: number };

const TABLE = {
  tokens: { check: integerIn(8, 2 ** 24) },
  prompt: { check: isIntegerList },
  factor: { check: numberIn(0, 1000), byDefault: 10 },
} as const satisfies OptionTable<keyof DraftContext>;

export const draftContextChecks = checksOf(TABLE);

export function isDraftContext(name: string, value: unknown): DraftContext {
  if (typeof value !== 'object' || value === null)
    throw invalidArgument(name, 'an object of options', value);
  const context = checkOptions(value as DraftContext, draftContextChecks, `${name}.`);
  if (context.prompt?.length === 0) throw invalidArgument(`${name}.prompt`, 'some ids', []);
  return context;
}

/** With the defaults. */
export function resolveDraftContext(given: DraftContext) {
  return fillIn(TABLE, given);
}
