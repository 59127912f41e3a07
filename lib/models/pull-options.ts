/** What whoever fetches a model takes along. */
import type { NetLimits } from '../net/retry.js';

export interface PullProgress {
  phase: 'resolve' | 'download' | 'prepare' | 'verify' | 'load';
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
}

/** What the steps of a pull hand on. */
export interface FetchOptions extends PullOptions {
  /** For tests. */
  limits?: Partial<NetLimits> | undefined;
}
