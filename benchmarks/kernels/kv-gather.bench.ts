/** Keys that an edit keeps, every second one of a context: each is read and written. */
import type { KernelPoint } from './point.js';
import { storedKvPoints } from './stored-kv.js';

export function kvGatherPoints(): KernelPoint[] {
  return storedKvPoints({
    op: 'kv_gather',
    rows: [32, 512],
    moved: 2,
    time: (timing, path, threads, model, keys) =>
      timing.timeKvGather(path, threads, { ...model, keys }),
  });
}
