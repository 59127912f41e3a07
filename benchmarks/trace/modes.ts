/** How a batch is scheduled, and whether it finds anything in the cache. */
export type Mode = 'prefix-grouped' | 'fcfs' | 'no cache';
export const MODES: readonly Mode[] = ['prefix-grouped', 'fcfs', 'no cache'];
export const NAMES = {
  'prefix-grouped': 'prefix-grouped',
  fcfs: 'fcfs, LRU',
  'no cache': 'fcfs, no cache',
};

export const scheduleOf = (mode: Mode) => (mode === 'prefix-grouped' ? mode : 'fcfs');
