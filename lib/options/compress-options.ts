/** Options that make a request read fewer keys and values than its context has. What they leave out changes the answer. */
import {
  checkOptions,
  integerIn,
  isBoolean,
  numberIn,
  oneOf,
  reading,
} from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import { CachalotError, invalidArgument } from '../errors.js';
import { BUDGETED, budgetOf } from './compress-budget.js';
import type { Budgeted } from './compress-budget.js';
import { decidingHeads, isHeadProfile, razorOptions } from './head-profile.js';
import type { HeadProfile, RazorCompression } from './head-profile.js';

/** Rows read the first tokens and the last ones only (attention sinks, StreamingLLM, arXiv 2309.17453). The text may then be longer than the context. */
export interface WindowCompression {
  policy: 'window';
  /** How many first tokens every token reads. Default 4. */
  sinks?: number | undefined;
  /** How many of the tokens before it, itself included, a token reads. */
  window: number;
}

/** Keeps the first and the last keys of each head: the same as a window, but the rest is freed. */
export interface RecentCompression extends Budgeted {
  policy: 'recent';
}

/** Keeps keys by chance: what any method must be better than. */
export interface RandomCompression extends Budgeted {
  policy: 'random';
  /** Default 0. */
  seed?: number | undefined;
}

/** Keeps the shortest keys (Devoto et al. 2024, arXiv 2406.11430). */
export interface KeyNormCompression extends Budgeted {
  policy: 'key-norm';
}

/** Keeps the keys that the last rows of the prompt read most (SnapKV, arXiv 2404.14469). It serves the prompt that it has seen. */
export interface SnapCompression extends Budgeted {
  policy: 'snap';
  /** How many last rows are observed. Default 32. */
  rows?: number | undefined;
  /** How many neighbours' scores are averaged, an odd number. Default 5. */
  pool?: number | undefined;
}

/** Keeps the last keys and those that have been read most (H2O, arXiv 2306.14048), half of the budget each. */
export interface H2oCompression extends Budgeted {
  policy: 'h2o';
  /** How many rows are observed before each edit, every fourth. Default 64. */
  rows?: number | undefined;
}

/** Drops the keys that most rows have read little (Scissorhands, arXiv 2305.17118). */
export interface ScissorhandsCompression extends Budgeted {
  policy: 'scissorhands';
  /** How many rows are observed before each edit, every fourth. Default 64. */
  rows?: number | undefined;
}

/** As `snap`, but only the heads that look things up decide, for all heads of their layer (CompressKV, arXiv 2508.02401). */
export interface CompressKvCompression extends Budgeted {
  policy: 'compress-kv';
  /** Of this model. */
  heads: HeadProfile;
  /** How many KV heads of each layer decide. Default 1. */
  deciding?: number | undefined;
  /** How many last rows are observed. Default 32. */
  rows?: number | undefined;
  /** How many neighbours' scores are averaged, an odd number. Default 5. */
  pool?: number | undefined;
}

/** Keys that are alike become one (Chelsea, arXiv 2506.11418). */
export interface ChelseaCompression extends Budgeted {
  policy: 'chelsea';
  /** Keys are compared with those of their chunk. Default 256. */
  chunk?: number | undefined;
  /** Whether a key that stands for several weighs as much as they. Default true. */
  weighted?: boolean | undefined;
}

export type Compression =
  | WindowCompression
  | RecentCompression
  | RandomCompression
  | KeyNormCompression
  | SnapCompression
  | H2oCompression
  | ScissorhandsCompression
  | CompressKvCompression
  | ChelseaCompression
  | RazorCompression;

/** As C++ receives it. */
export interface SequenceWindow {
  sinks: number;
  size: number;
}

/** A compression that was read: a window, or a policy that edits a context. */
export interface ReadCompression {
  window?: SequenceWindow;
  edit?: {
    policy: string;
    options: Int32Array;
    /** Where it edits before the end of the prompt. */
    at: readonly number[];
    /** After the prompt it is repeated at multiples of so many tokens; 0: it is not. */
    every: number;
    /** Whether what it decides is the same for all who read the context. */
    isShared: boolean;
  };
}

const DEFAULT_SINKS = 4;
const MOST_TOKENS = 2 ** 24;

const isOdd: Check<number> = (name, value) => {
  const n = integerIn(1, 63)(name, value);
  if (n % 2 === 0) throw invalidArgument(name, 'an odd integer from 1 to 63', value);
  return n;
};

interface PolicyRow {
  /** Of its options besides the budget. */
  checks: Record<string, Check>;
  /** How a budget may be divided among layers and heads. */
  splits: readonly NonNullable<Budgeted['split']>[];
  isShared: boolean;
  /** Its options as C++ has them, after those of the budget; native/kv/policies/. */
  native: (given: Record<string, unknown>) => number[];
}

const numbers = (...values: unknown[]) => values.map(Number);

const POLICIES: Record<string, PolicyRow> = {
  recent: { checks: {}, splits: ['uniform', 'pyramid'], isShared: true, native: () => [] },
  random: {
    checks: { seed: integerIn(0, 2 ** 31 - 1) },
    splits: ['uniform', 'pyramid'],
    isShared: true,
    native: ({ seed = 0 }) => numbers(seed),
  },
  'key-norm': { checks: {}, splits: ['uniform', 'pyramid'], isShared: true, native: () => [] },
  snap: {
    checks: { rows: integerIn(1, 256), pool: isOdd },
    splits: ['uniform', 'pyramid', 'mass', 'heads'],
    isShared: false,
    native: ({ rows = 32, pool = 5 }) => numbers(rows, pool),
  },
  h2o: {
    checks: { rows: integerIn(1, 256) },
    splits: ['uniform', 'pyramid', 'mass', 'heads'],
    isShared: false,
    native: ({ rows = 64 }) => numbers(rows),
  },
  scissorhands: {
    checks: { rows: integerIn(1, 256) },
    splits: ['uniform', 'pyramid'],
    isShared: false,
    native: ({ rows = 64 }) => numbers(rows),
  },
  'compress-kv': {
    checks: {
      heads: isHeadProfile,
      deciding: integerIn(1, 1024),
      rows: integerIn(1, 256),
      pool: isOdd,
    },
    splits: ['uniform', 'pyramid'],
    isShared: false,
    native: ({ heads, deciding = 1, rows = 32, pool = 5 }) => [
      ...numbers(rows, pool),
      ...decidingHeads(heads as HeadProfile, deciding as number),
    ],
  },
  chelsea: {
    checks: { chunk: integerIn(2, 4096), weighted: isBoolean },
    splits: ['uniform'],
    isShared: true,
    native: ({ chunk = 256, weighted = true }) => numbers(chunk, weighted),
  },
};

const NAMES = ['window', ...Object.keys(POLICIES), 'razor'] as const;

/** Reads the option once. */
export function isCompression(name: string, value: unknown): ReadCompression {
  const policy = reading(name, () => policyOf(name, value));
  if (policy === 'window') return { window: readWindow(name, value) };
  if (policy === 'razor') return { edit: readRazor(name, value) };
  const row = POLICIES[policy]!;
  const checks = { policy: oneOf(...NAMES), ...BUDGETED, ...row.checks };
  const given = checkOptions(value as Record<string, unknown>, checks, `${name}.`);
  if (row.checks.heads && given.heads === undefined)
    throw invalidArgument(`${name}.heads`, 'a profile of `cachalot heads`', given.heads);
  const { split = 'uniform', at = [], every = 0 } = given as Budgeted;
  if (!row.splits.includes(split))
    throw invalidArgument(
      `${name}.split`,
      `${row.splits.join(' or ')} for the policy ${policy}`,
      split,
    );
  const options = [...budgetOf(name, given), ...row.native(given)];
  const { isShared } = row;
  return { edit: { policy, options: Int32Array.from(options), at, every, isShared } };
}

function policyOf(name: string, value: unknown): (typeof NAMES)[number] {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'policy'))
    throw invalidArgument(`${name}.policy`, `one of ${NAMES.join(', ')}`, value);
  return oneOf(...NAMES)(`${name}.policy`, (value as { policy: unknown }).policy);
}

function readWindow(name: string, value: unknown): SequenceWindow {
  const checks = {
    policy: oneOf('window'),
    sinks: integerIn(0, MOST_TOKENS),
    window: integerIn(1, MOST_TOKENS),
  };
  const given = checkOptions(value as Partial<WindowCompression>, checks, `${name}.`);
  const { sinks = DEFAULT_SINKS, window } = given;
  if (window === undefined)
    throw invalidArgument(`${name}.window`, 'an integer of at least 1', window);
  return { sinks, size: window };
}

function readRazor(name: string, value: unknown): NonNullable<ReadCompression['edit']> {
  const checks = {
    policy: oneOf('razor'),
    heads: isHeadProfile,
    retrieval: numberIn(0, 1),
    sinks: integerIn(0, MOST_TOKENS),
    least: integerIn(0, MOST_TOKENS),
    divisor: integerIn(1, MOST_TOKENS),
    at: BUDGETED.at,
    every: BUDGETED.every,
  };
  const given = checkOptions(value as RazorCompression, checks, `${name}.`);
  if (given.heads === undefined)
    throw invalidArgument(`${name}.heads`, 'a profile of `cachalot heads`', given.heads);
  const options = Int32Array.from(razorOptions(given));
  const { at = [], every = 0 } = given;
  return { policy: 'razor', options, at, every, isShared: true };
}

/** For contexts that many will read. Throws invalid_argument for a policy that serves one prompt only. */
export const isSharedCompression: Check<ReadCompression> = (name, value) => {
  const read = isCompression(name, value);
  if (read.window)
    throw invalidArgument(
      `${name}.policy`,
      'a policy that edits: a window is an option of requests and sessions; `recent` is the policy for contexts',
      'window',
    );
  if (read.edit && read.edit.every > 0)
    throw invalidArgument(`${name}.every`, 'nothing: a context does not grow', read.edit.every);
  if (read.edit?.isShared) return read;
  const shared = [...Object.keys(POLICIES).filter((one) => POLICIES[one]!.isShared), 'razor'];
  throw new CachalotError(
    'invalid_argument',
    `\`${name}.policy\`: ${read.edit?.policy} keeps what the last rows of one prompt read, and would serve no other; give it to a session or a request. For a context that is shared: ${shared.join(', ')}`,
  );
};

/** Keys and values that a request read. A `type`, so that it is JSON to TypeScript (an interface has no index signature). */
export type KvUsage = {
  /** How many keys of its tokens a head has at the end, or may read: the mean of all layers and heads. */
  kept: number;
  /** How many tokens came before its last token, itself included. */
  of: number;
  /** Bytes of these keys and values; what is shared with others counts, too. */
  bytes: number;
};

/** `kv`: as the engine tells it, of at least the first `read` tokens: it may have computed some more before it heard that the answer had ended. A window reads less than is kept. */
export function kvUsage(kv: KvUsage, read: number, window: SequenceWindow | undefined): KvUsage {
  const more = Math.min(kv.kept, Math.max(0, kv.of - read));
  const perKey = kv.bytes / Math.max(1, kv.kept);
  const kept = Math.min(kv.kept - more, window ? window.sinks + window.size : Infinity);
  return { kept, of: kv.of - more, bytes: Math.round(kept * perKey) };
}
