/** The one place that builds a request as C++ receives it. Each kind of request states only what differs from the defaults. */
import type { NativeRequest } from '../native.js';
import { DEFAULT_PRIORITY } from '../options/generate-options.js';
import { GREEDY } from '../options/sampling-options.js';

/** A request without the fields that the engine core adds when it is submitted. */
export type EngineRequest = Omit<NativeRequest, 'id' | 'tellStart'>;

/** Fields that every request must give. */
type Named = Pick<EngineRequest, 'kind' | 'namespace' | 'tokens'>;

/** Values of the fields that a request does not give. */
const DEFAULTS: Omit<EngineRequest, keyof Named> = {
  maxTokens: 0,
  sampling: GREEDY,
  stopTokens: new Int32Array(0),
  rows: new Int32Array(0),
  from: 1,
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
