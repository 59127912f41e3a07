/** Contexts as a request, a session or an item of a batch names them: one, or several and how they stand together. */
import { numberIn, oneOf, readList, reading, checkOptions } from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import { CachalotError, invalidArgument } from '../errors.js';
import type { Arrangement } from '../layout/combine.js';
import { Context, isContext } from './context.js';

/**
 * "sequence": one after the other, each as it was computed by itself. "parallel": side by side (APE, arXiv 2502.05431), so that the text
 * after them reads all of them from the same distance; `temperature` is that of their softmax and `scale` what their share is
 * multiplied by, 0.9 by default. Both change what contexts mean for one another, and so the answer.
 */
export type Combine =
  | 'sequence'
  | 'parallel'
  | {
      how: 'parallel';
      temperature?: number | undefined;
      scale?: number | undefined;
    };

export interface ContextChoice {
  /** A context before everything else, or several (with `combine`). All who use one share its keys and values. */
  context?: Context | readonly Context[] | undefined;
  /** How several contexts stand together. */
  combine?: Combine | undefined;
}

/** What was chosen, read. */
export interface GivenContext {
  contexts: readonly Context[];
  /** Undefined for one context alone. */
  arrangement: Arrangement | undefined;
}

const MOST_CONTEXTS = 1024;

export const isContexts: Check<Context | readonly Context[]> = (name, value) => {
  if (Context.isOne(value)) return value;
  const isList = reading(name, () => Array.isArray(value));
  if (!isList) return isContext(name, value);
  const list = readList(name, value, 'contexts of this engine', (one, i) =>
    isContext(`${name}[${i}]`, one),
  );
  if (list.length === 0 || list.length > MOST_CONTEXTS)
    throw invalidArgument(name, `1 to ${MOST_CONTEXTS} contexts`, list.length);
  return list;
};

const isFactor = numberIn(0.01, 100);

export const isCombine: Check<Arrangement> = (name, value) => {
  if (value === 'sequence') return { how: 'sequence' };
  const isWord = typeof value !== 'object' || value === null;
  if (isWord) oneOf('sequence', 'parallel')(name, value);
  const checks = { how: oneOf('parallel'), temperature: isFactor, scale: isFactor };
  const given = (isWord ? {} : value) as Partial<Exclude<Combine, string>>;
  const { temperature = 0.9, scale = 0.9 } = checkOptions(given, checks, `${name}.`);
  return { how: 'parallel', reading: { temperature, scale } };
};

/** The checks of both options. */
export const contextChecks = { context: isContexts, combine: isCombine };

/** Puts both options together, as their checks returned them. Throws invalid_argument for several contexts that nothing is said of. */
export function givenContext(choice: {
  context?: unknown;
  combine?: unknown;
}): GivenContext | undefined {
  const context = choice.context as Context | readonly Context[] | undefined;
  const arrangement = choice.combine as Arrangement | undefined;
  if (context === undefined) {
    if (arrangement) throw invalidArgument('combine', 'contexts to combine', arrangement.how);
    return undefined;
  }
  if (Context.isOne(context)) return { contexts: [context], arrangement };
  if (!arrangement)
    throw new CachalotError(
      'invalid_argument',
      "expected `combine` for a list of contexts: 'sequence' (one after the other, each as it was computed by itself) or 'parallel' (side by side)",
    );
  return { contexts: context, arrangement };
}
