/** Options of `Engine.load`, with their defaults and limits in one place. */

import {
  checkOptions,
  integerIn,
  isBoolean,
  isFunction,
  isSignal,
  isName,
  isPath,
  isString,
  notSupportedYet,
  numberIn,
} from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import { invalidArgument } from '../errors.js';
import type { PullProgress } from '../models/sources/pull-options.js';
import { isLoadedDraft } from './draft-options.js';
import type { LoadedDraft } from './draft-options.js';
import { checksOf, choice } from './option-table.js';
import type { OptionTable } from './option-table.js';
import { isRope } from './rope-options.js';
import type { RopeOptions } from './rope-options.js';

export interface LoadOptions {
  /** "auto" (default): an NVIDIA GPU of compute capability 8.0 or newer if there is one, else the CPU. "cuda:1" is the second GPU. */
  device?: 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;
  /** CPU threads. Default: one per physical core that the process may use, within its container's quota. */
  threads?: number | undefined;
  /** The most tokens of one context. Default: what the model was trained for, times the factor of `rope`. More is possible with `rope` only. */
  contextLength?: number | undefined;
  /** How positions are stretched over longer contexts than the model was trained for. Answers change. Default: as the model's file says. */
  rope?: RopeOptions | undefined;
  /** Memory for keys and values: `bytes` and `format` (default: bf16; f32 on the portable path). Default of `bytes`: a quarter of the memory of the
   *  machine or container, at most half of its free memory (on a GPU: what the weights leave free), or 16 full contexts, whichever is less. */
  kv?: { bytes?: number | undefined; format?: 'auto' | 'f32' | 'bf16' | undefined } | undefined;
  /** CPU instructions. Default: the best that this machine has. Results differ in the last bits between paths. */
  instructions?: 'auto' | 'avx512' | 'avxvnni' | 'avx2' | 'portable' | undefined;
  /** Rows of a step: the largest chunk of a prompt that other requests wait for. Default 512. */
  stepTokens?: number | undefined;
  /** Target for the time between tokens, in milliseconds: prompts that join are computed in chunks whose steps should stay
   *  under it, of at least four rows. Default: none. */
  maxStepMs?: number | undefined;
  /** Whether sequences read keys and values that they share together: with "auto" (default) where costs measured on this
   *  machine say that it is faster. It never changes a result. */
  sharedReads?: 'auto' | 'always' | 'never' | undefined;
  /** Whether prompts use keys and values that are in the cache. Default true. */
  prefixCache?: boolean | undefined;
  /** Whether generations try guesses of their next tokens, and which: the answers are the same. "auto" (default): those that need no
   *  second model, where costs measured on this machine say that they pay. `{ model: "stories-15m" }` loads a smaller model that guesses, too. */
  draft?: LoadedDraft | undefined;
  /** Part of the key under which the cache finds prompts: requests of one namespace never see the cache of another. Default "". */
  namespace?: string | undefined;
  /** A Hugging Face tokenizer.json to use instead of the vocabulary in the model file. */
  tokenizer?: string | undefined;
  /** A chat template (in the Jinja language) to use instead of the model's own. A blank one counts as absent. */
  chatTemplate?: string | undefined;
  /** Whether repacked weights are kept, so that later loads of the same file only map them: true (default), false,
   *  or how much disk space such files may take (default: 20 GiB). The least recently used are deleted first. */
  layoutCache?:
    boolean | { maxBytes?: number | undefined; minBytes?: number | undefined } | undefined;
  /** The folder of downloaded models, repacked weights and measured costs. Default: CACHALOT_CACHE, or `cachalot` in the user's
   *  cache folder ($XDG_CACHE_HOME, ~/.cache). */
  cacheDir?: string | undefined;
  /** Ends a download, or the loading after its current part. */
  signal?: AbortSignal | undefined;
  /** Progress of a download, if there is one, and then of preparing the weights (phase "load"). */
  onProgress?: ((progress: PullProgress) => void) | undefined;
  /** Checks the engine's own data structures after every step; for tests. */
  checkInvariants?: boolean | undefined;
}

function isDevice(name: string, value: unknown): string {
  if (typeof value === 'string' && /^(auto|cpu|cuda(:\d{1,3})?)$/.test(value)) return value;
  throw invalidArgument(name, 'auto, cpu, cuda or cuda:N', value);
}

const MAX_TEMPLATE = 1 << 20;

const isTemplate: Check<string> = (name, value) => {
  const text = isString(name, value);
  if (text.length > MAX_TEMPLATE)
    throw invalidArgument(name, `a template of at most ${MAX_TEMPLATE} characters`, text);
  return text;
};

const anyBytes = { check: integerIn(0, Number.MAX_SAFE_INTEGER) };

/** How much disk space repacked weights may take, and the size from which they are kept. */
const LAYOUT_CACHE = {
  maxBytes: anyBytes,
  minBytes: anyBytes,
} as const satisfies OptionTable;

/** Memory for keys and values. A value of 0 leaves the choice to the engine. */
export const KV = {
  bytes: { check: integerIn(1, Number.MAX_SAFE_INTEGER), byDefault: 0, native: 'kvBytes' },
  format: choice('kvFormat', 'auto', 'f32', 'bf16'),
} as const satisfies OptionTable<keyof NonNullable<LoadOptions['kv']>>;

/** How an engine is loaded. A value of 0 leaves the choice to the engine. */
export const LOAD = {
  device: { check: isDevice, byDefault: 'auto', native: 'device' },
  threads: { check: integerIn(1, 1024), byDefault: 0, native: 'threads' },
  contextLength: { check: integerIn(1, 2 ** 24), byDefault: 0, native: 'contextLength' },
  rope: { check: isRope },
  kv: { check: checkedBy(KV), byDefault: {} },
  instructions: choice('instructions', 'auto', 'avx512', 'avxvnni', 'avx2', 'portable'),
  stepTokens: { check: integerIn(1, 4096), byDefault: 512, native: 'stepTokens' },
  maxStepMs: { check: numberIn(0, 60_000), byDefault: 0, native: 'maxStepMs' },
  sharedReads: choice('sharedReads', 'auto', 'always', 'never'),
  prefixCache: { check: isBoolean, byDefault: true, native: 'prefixCache' },
  draft: { check: isLoadedDraft, byDefault: 'auto' },
  namespace: { check: isName, byDefault: '' },
  tokenizer: { check: isPath },
  chatTemplate: { check: isTemplate },
  layoutCache: {
    check: (name: string, value: unknown) =>
      typeof value === 'boolean' ? value : checkedBy(LAYOUT_CACHE)(name, value),
    byDefault: true,
  },
  cacheDir: { check: isPath },
  onProgress: { check: isFunction },
  signal: { check: isSignal },
  checkInvariants: { check: isBoolean, byDefault: false, native: 'checkInvariants' },
} as const satisfies OptionTable<keyof LoadOptions>;

const NOT_YET = { adapters: notSupportedYet };

const loadChecks = { ...checksOf(LOAD), ...NOT_YET };

/** Reads the options once. Throws invalid_argument or not_supported. */
export function readLoadOptions(given: LoadOptions): Readonly<LoadOptions> {
  return checkOptions(given, loadChecks);
}

/** An option that has options of its own. */
function checkedBy<Table extends OptionTable>(table: Table) {
  type Given = { [Name in keyof Table]?: ReturnType<Table[Name]['check']> };
  return (name: string, value: unknown) =>
    checkOptions(value as Given, checksOf(table), `${name}.`);
}
