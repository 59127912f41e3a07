/** Means of pairs of keys: two are read for each that is written. */
import type { KernelPoint } from './point.js';
import { storedKvPoints } from './stored-kv.js';

export function kvMergePoints(): KernelPoint[] {
  return storedKvPoints({
    op: 'kv_merge',
    rows: [32, 512],
    moved: 3,
    time: (timing, path, threads, model, keys) =>
      timing.timeKvMerge(path, threads, { ...model, keys }),
  });
}
