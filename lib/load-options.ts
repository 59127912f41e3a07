/** Options of `Engine.load`, with their defaults and limits in one place. */
import { cpus } from 'node:os';
import { join } from 'node:path';

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
  oneOf,
} from './check-options.js';
import type { Check } from './check-options.js';
import { cpuName } from './engine-description.js';
import { cacheFolder } from './models/cache-folder.js';
import { invalidArgument } from './errors.js';
import { LayoutCache, layoutsFolder } from './models/layout-cache.js';
import type { PullProgress } from './models/pull.js';
import { native } from './native.js';
import type { NativeEngineOptions } from './native.js';

export interface LoadOptions {
  /** "auto" (default): an NVIDIA GPU of compute capability 8.0 or newer if there is one, else the CPU. "cuda:1" is the second GPU. */
  device?: 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;
  /** CPU threads. Default: one per physical core that the process may use, within its container's quota. */
  threads?: number | undefined;
  /** The most tokens of one context. Default: what the model was trained for. */
  contextLength?: number | undefined;
  /** Memory for keys and values: `bytes` (default: a quarter of what the machine or the container has, at most half of
   *  what is left of it - of a GPU what the weights have left - or 16 full contexts, whichever is less) and `format` (default: bf16; f32 on the portable path). */
  kv?: { bytes?: number | undefined; format?: 'auto' | 'f32' | 'bf16' | undefined } | undefined;
  /** CPU instructions. Default: the best that this machine has. Results differ in the last bits between paths. */
  instructions?: 'auto' | 'avx512' | 'avxvnni' | 'avx2' | 'portable' | undefined;
  /** Rows of a step: the longest piece of a prompt that others wait for. Default 512. */
  stepTokens?: number | undefined;
  /** Target for the time between tokens, in milliseconds: prompts that join are computed in pieces that aim at steps
   *  under it, of four rows at least. Default: none. */
  maxStepMs?: number | undefined;
  /** Whether sequences read the keys and values that they share together: "auto" (default) where costs measured on this
   *  machine say that it is faster. It never changes a result. */
  sharedReads?: 'auto' | 'always' | 'never' | undefined;
  /** Whether prompts use what is in the cache. Default true. */
  prefixCache?: boolean | undefined;
  /** Part of what the cache finds by: requests of one namespace never see what those of another have left. Default "". */
  namespace?: string | undefined;
  /** A Hugging Face tokenizer.json to use instead of the vocabulary in the model file. */
  tokenizer?: string | undefined;
  /** A chat template (in the Jinja language) to use instead of the model's own. What is blank is absent. */
  chatTemplate?: string | undefined;
  /** Whether weights are kept as they were repacked, so that later loads of the same file only map them: true (default), false,
   *  or how much room such files may take on the disk (default: 20 GiB), least recently used first to go. */
  layoutCache?:
    boolean | { maxBytes?: number | undefined; minBytes?: number | undefined } | undefined;
  /** The folder of downloaded models, repacked weights and measured costs. Default: CACHALOT_CACHE, or `cachalot` in the user's
   *  cache folder ($XDG_CACHE_HOME, ~/.cache). */
  cacheDir?: string | undefined;
  /** Ends a download, or the loading once the current part is done. */
  signal?: AbortSignal | undefined;
  /** Progress of a download, if there is one, and then of the weights being prepared (phase "load"). */
  onProgress?: ((progress: PullProgress) => void) | undefined;
  /** Checks the engine's own data structures after every step; for tests. */
  checkInvariants?: boolean | undefined;
}

function isDevice(name: string, value: unknown): string {
  if (typeof value === 'string' && /^(auto|cpu|cuda(:\d{1,3})?)$/.test(value)) return value;
  throw invalidArgument(name, 'auto, cpu, cuda or cuda:N', value);
}

/** Whether an engine with these options will be on a GPU. */
export function isOnGpu(options: NativeEngineOptions): boolean {
  const { device, cudaLibrary, instructions, kvFormat } = options;
  if (device !== 'auto') return device !== 'cpu';
  if (instructions !== 'auto' || kvFormat === 'f32') return false; // said of the CPU only
  return native().cuda(cudaLibrary).devices.length > 0;
}

const MAX_TEMPLATE = 1 << 20;

const isTemplate: Check<string> = (name, value) => {
  const text = isString(name, value);
  if (text.length > MAX_TEMPLATE)
    throw invalidArgument(name, `a template of at most ${MAX_TEMPLATE} characters`, text);
  return text;
};

const loadChecks: Record<string, Check> = {
  device: isDevice,
  threads: integerIn(1, 1024),
  contextLength: integerIn(1, 2 ** 24),
  kv: (name, value) =>
    checkOptions(
      value as object,
      { bytes: integerIn(1, Number.MAX_SAFE_INTEGER), format: oneOf('auto', 'f32', 'bf16') },
      `${name}.`,
    ),
  instructions: oneOf('auto', 'avx512', 'avxvnni', 'avx2', 'portable'),
  stepTokens: integerIn(1, 4096),
  maxStepMs: numberIn(0, 60_000),
  sharedReads: oneOf('auto', 'always', 'never'),
  prefixCache: isBoolean,
  namespace: isName,
  tokenizer: isPath,
  chatTemplate: isTemplate,
  layoutCache: (name, value) => {
    if (typeof value === 'boolean') return value;
    const bytes = integerIn(0, Number.MAX_SAFE_INTEGER);
    return checkOptions(value as object, { maxBytes: bytes, minBytes: bytes }, `${name}.`);
  },
  cacheDir: isPath,
  onProgress: isFunction,
  signal: isSignal,
  checkInvariants: isBoolean,
  draft: notSupportedYet,
  adapters: notSupportedYet,
};

/** Empty where there is no home: costs are measured at each load then. */
function costsFolder(cacheDir: string | undefined): string {
  try {
    return join(cacheFolder(cacheDir), 'costs');
  } catch {
    return '';
  }
}

/** Undefined where it is not wanted, or where there is no home. */
export function layoutCacheOf({
  layoutCache = true,
  cacheDir,
}: LoadOptions): LayoutCache | undefined {
  if (layoutCache === false) return undefined;
  try {
    return new LayoutCache(layoutsFolder(cacheDir), layoutCache === true ? {} : layoutCache);
  } catch {
    return undefined;
  }
}

/** What is given, read once. Throws invalid_argument or not_supported. */
export function readLoadOptions(given: LoadOptions): Readonly<LoadOptions> {
  const options = checkOptions(given, loadChecks);
  return options;
}

/** What native code receives: everything filled in. Throws invalid_argument for more keys and values than memory can hold. */
export function nativeOptionsOf(options: Readonly<LoadOptions>): NativeEngineOptions {
  const resolved: NativeEngineOptions = {
    device: options.device ?? 'auto',
    cudaLibrary: '',
    instructions: options.instructions ?? 'auto',
    threads: options.threads ?? 0,
    contextLength: options.contextLength ?? 0,
    stepTokens: options.stepTokens ?? 512,
    kvBytes: options.kv?.bytes ?? 0,
    kvFormat: options.kv?.format ?? 'auto',
    maxStepMs: options.maxStepMs ?? 0,
    sharedReads: options.sharedReads ?? 'auto',
    costsFolder: costsFolder(options.cacheDir),
    layoutPath: '',
    machine: `${cpuName()}, ${cpus().length} cores`,
    prefixCache: options.prefixCache ?? true,
    checkInvariants: options.checkInvariants ?? false,
  };
  if (resolved.kvBytes !== 0 && !isOnGpu(resolved))
    integerIn(1, native().memoryLimit())('kv.bytes', resolved.kvBytes);
  return resolved;
}
