/** Options that make a request read fewer keys and values than its context has. What they leave out changes the answer. */
import { checkOptions, integerIn, oneOf } from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';

/** Rows read the first tokens and the last ones only (attention sinks, StreamingLLM, arXiv 2309.17453). */
export interface WindowCompression {
  policy: 'window';
  /** How many first tokens every token reads. Default 4. */
  sinks?: number | undefined;
  /** How many of the tokens before it, itself included, a token reads. */
  window: number;
}

export type Compression = WindowCompression;

/** As C++ receives it. */
export interface SequenceWindow {
  sinks: number;
  size: number;
}

const DEFAULT_SINKS = 4;
const MOST_TOKENS = 2 ** 24;

/** Reads the option once; gives the window of the request. */
export function isCompression(name: string, value: unknown): SequenceWindow {
  const checks = {
    policy: oneOf('window'),
    sinks: integerIn(0, MOST_TOKENS),
    window: integerIn(1, MOST_TOKENS),
  };
  const {
    policy,
    sinks = DEFAULT_SINKS,
    window,
  } = checkOptions(value as Partial<WindowCompression>, checks, `${name}.`);
  if (policy === undefined) throw invalidArgument(`${name}.policy`, 'window', policy);
  if (window === undefined)
    throw invalidArgument(`${name}.window`, 'an integer of at least 1', window);
  return { sinks, size: window };
}

/** The field of a request. A window longer than the context is none. */
export function windowOf(
  compress: SequenceWindow | undefined,
  contextLength: number,
): { window?: SequenceWindow } {
  if (compress === undefined || compress.sinks + compress.size >= contextLength) return {};
  return { window: compress };
}

/** Keys and values that a request read. A `type`, so that it is JSON to TypeScript (an interface has no index signature). */
export type KvUsage = {
  /** How many of its tokens' keys its last token could read. */
  kept: number;
  /** How many tokens came before its last token, itself included. */
  of: number;
};

/** Of the last of so many tokens. */
export function kvUsage(tokens: number, { sinks, size }: SequenceWindow): KvUsage {
  return { kept: Math.min(tokens, sinks + size), of: tokens };
}
