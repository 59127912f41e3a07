/** A request as C++ receives it, with nothing asked for but its tokens. */
import type { NativeRequest } from '../../lib/native.js';
import { GREEDY } from '../../lib/options/sampling-options.js';

export const nativeRequest = (id: number, tokens: readonly number[]): NativeRequest => ({
  id,
  kind: 'generate',
  namespace: '',
  tokens: Int32Array.from(tokens),
  maxTokens: 4,
  sampling: GREEDY,
  stopTokens: new Int32Array(0),
  rows: new Int32Array(0),
  from: 1,
  pin: 0,
  priority: 35,
  ttlMs: 0,
  deadlineMs: 0,
  batch: 0,
  batchRank: 0,
  tellStart: false,
});
