/** What whoever fetches a model takes along. */
import type { LockHolder } from '../../files/lock-file.js';
import type { NetLimits } from '../../net/retry.js';

export interface PullProgress {
  phase: 'wait' | 'resolve' | 'download' | 'prepare' | 'verify' | 'load';
  /** Of phase "wait": who is fetching the same model, in words. */
  holder?: string;
  /** Of files fetched one after the other. */
  part: number;
  parts: number;
  receivedBytes: number;
  totalBytes: number | undefined;
}

export interface PullOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: PullProgress) => void) | undefined;
  /** Fetch it anew though it is there; what is there is replaced when the new one is whole. Default false. */
  force?: boolean | undefined;
  /** The folder of models. Default: CACHALOT_CACHE, or `cachalot` in the user's cache folder. */
  cacheDir?: string | undefined;
}

/** Tells whoever looks on that somebody else is at the same file. */
export function whileWaiting({ onProgress }: PullOptions): {
  onWait: (holder: LockHolder) => void;
} {
  const state = { part: 0, parts: 1, receivedBytes: 0, totalBytes: undefined };
  return { onWait: ({ description: holder }) => onProgress?.({ phase: 'wait', holder, ...state }) };
}

/** What the steps of a pull hand on. */
export interface FetchOptions extends PullOptions {
  /** For tests. */
  limits?: Partial<NetLimits> | undefined;
}
