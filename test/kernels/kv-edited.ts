/** Edited blocks for a test: each head of layer 1 has one, and all heads keep the same slots. */
import type { KvShape, NativeKvBlocks } from '../testing/attention.js';
import { blocksOf, queriesOf, randomRows, targetsOf, TILE } from './kv-store.js';

export const LAYER = 1;

/** Blocks 0 and 1 hold 32 tokens each. */
export function filled(path: string, shape: KvShape): NativeKvBlocks {
  const kv = blocksOf(path, shape);
  for (const block of [0, 1]) {
    const rows = randomRows(shape, TILE, block);
    kv.write(LAYER, targetsOf([block], TILE), rows.k, rows.v);
  }
  return kv;
}

const headsOf = ({ kvHeads }: KvShape) => Array.from({ length: kvHeads }, (_, head) => head);

/** Where a key comes from: a block of all heads, or an edited one that head 0 has, and its slot. */
export interface Source {
  block: number;
  slot: number;
  edited?: boolean;
}

/** A head's edited blocks follow those of the head before. */
export const editedBlock = (block: number, head: number, { kvHeads }: KvShape) =>
  block * kvHeads + head;

const placeOf = ({ block, slot, edited }: Source, head: number, shape: KvShape) => [
  LAYER,
  head,
  edited === true ? editedBlock(block, head, shape) : block,
  slot,
  edited === true ? 1 : 0,
];

/** Puts keys into an edited block of each head. */
export function gather(
  kv: NativeKvBlocks,
  shape: KvShape,
  block: number,
  keys: readonly (Source & { index?: number; weight?: number })[],
): void {
  const all = headsOf(shape).flatMap((head) =>
    keys.map((key, slot) => ({
      move: [
        ...placeOf(key, head, shape),
        editedBlock(block, head, shape),
        slot,
        key.index ?? slot,
      ],
      weight: key.weight ?? 0,
    })),
  );
  kv.gather(
    Int32Array.from(all.flatMap(({ move }) => move)),
    Float32Array.from(all, ({ weight }) => weight),
  );
}

/** Puts the mean of several keys into a slot of an edited block of each head. */
export function merge(
  kv: NativeKvBlocks,
  shape: KvShape,
  [block, slot]: readonly [number, number],
  sources: readonly (Source & { share: number })[],
): void {
  const heads = headsOf(shape);
  const merges = heads.flatMap((head) => [
    editedBlock(block, head, shape),
    slot,
    head * sources.length,
    sources.length,
  ]);
  const places = heads.flatMap((head) => sources.flatMap((source) => placeOf(source, head, shape)));
  const shares = heads.flatMap(() => sources.map(({ share }) => share));
  kv.merge(Int32Array.from(merges), Int32Array.from(places), Float32Array.from(shares));
}

/** What a seeded query makes of the keys of edited blocks. */
export function readEdited(
  kv: NativeKvBlocks,
  shape: KvShape,
  blocks: readonly number[],
  keys: number,
  { window = 0, q = queriesOf(shape, 1) } = {},
): Float32Array {
  const each = headsOf(shape);
  const own = each.map((head) => blocks.map((block) => editedBlock(block, head, shape)));
  return kv.attendEdited(
    LAYER,
    own,
    each.map(() => keys),
    window,
    q,
  );
}
