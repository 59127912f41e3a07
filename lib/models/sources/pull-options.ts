/** Options and progress of fetching a model. */
import type { LockHolder } from '../../files/lock-file.js';
import type { NetLimits } from '../../net/retry.js';

export interface PullProgress {
  phase: 'wait' | 'resolve' | 'download' | 'prepare' | 'verify' | 'load';
  /** In phase "wait": the process that is fetching the same model, in words. */
  holder?: string;
  /** When several files are fetched one after the other. */
  part: number;
  parts: number;
  receivedBytes: number;
  totalBytes: number | undefined;
}

export interface PullOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: PullProgress) => void) | undefined;
  /** Fetches a model again though it is there; the old one is replaced when the new one is complete. Default false. */
  force?: boolean | undefined;
  /** The folder of models. Default: CACHALOT_CACHE, or `cachalot` in the user's cache folder. */
  cacheDir?: string | undefined;
}

/** Reports that another process is fetching the same file. */
export function whileWaiting({ onProgress }: PullOptions): {
  onWait: (holder: LockHolder) => void;
} {
  const state = { part: 0, parts: 1, receivedBytes: 0, totalBytes: undefined };
  return { onWait: ({ description: holder }) => onProgress?.({ phase: 'wait', holder, ...state }) };
}

/** The context that the steps of a pull pass on. */
export interface FetchOptions extends PullOptions {
  /** For tests. */
  limits?: Partial<NetLimits> | undefined;
}
