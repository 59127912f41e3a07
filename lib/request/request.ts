/** The one place where a request is put together as C++ receives it: each kind says only in what it differs from none. */
import type { NativeRequest } from '../native.js';
import { DEFAULT_PRIORITY } from '../options/generate-options.js';
import { GREEDY } from '../options/sampling-options.js';

/** A request without what the engine itself adds when it is submitted. */
export type EngineRequest = Omit<NativeRequest, 'id' | 'tellStart'>;

/** What no request leaves open. */
type Named = Pick<EngineRequest, 'kind' | 'namespace' | 'tokens'>;

/** What holds of a request that says nothing of it. */
const DEFAULTS: Omit<EngineRequest, keyof Named> = {
  maxTokens: 0,
  sampling: GREEDY,
  stopTokens: new Int32Array(0),
  rows: new Int32Array(0),
  pin: 0,
  priority: DEFAULT_PRIORITY,
  ttlMs: 0,
  deadlineMs: 0,
  batch: 0,
  batchRank: 0,
};

export function newRequest(said: Named & Partial<EngineRequest>): EngineRequest {
  return { ...DEFAULTS, ...said };
}
