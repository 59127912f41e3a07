/** The policy "seeded" (native/kv/policies/seeded.h) once more, for the reference, and edits that name it. */
import type { NativeEdit } from '../../lib/records/request-records.js';
import type { KeptKey, ReferenceEdit } from '../reference/forward.js';

/** Of 1,000 keys `keep` are kept, and `merge` become one with the one before. */
export interface Seeded {
  seed: number;
  keep: number;
  merge: number;
}

export const MASK = (1n << 64n) - 1n;

/** native/kv/policies/numbers.h. */
export function mix(x: bigint): bigint {
  x = ((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  x = ((x ^ (x >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return x ^ (x >> 31n);
}

function groupsOf({ seed, keep, merge }: Seeded, head: number, keys: readonly KeptKey[]) {
  const groups: number[][] = [];
  keys.forEach(({ position }, i) => {
    const draw = Number(mix((mix(BigInt(seed + head)) + BigInt(position)) & MASK) % 1000n);
    if (draw < keep) groups.push([i]);
    else if (draw < keep + merge) groups.at(-1)?.push(i);
  });
  return groups;
}

export const referenceEdit = (index: number, seeded: Seeded): ReferenceEdit => ({
  index,
  edit: (heads) => heads.map(({ keys }, head) => groupsOf(seeded, head, keys)),
});

export const nativeEdit = (index: number, { seed, keep, merge }: Seeded): NativeEdit => ({
  index,
  policy: 'seeded',
  options: Int32Array.of(seed, keep, merge),
});
