/** Keys to ask for signals: edited blocks of each layer and head, then a text, and all of them as the reference sees them. */
import { kvWrite } from '../reference/kv-write.js';
import type { SignalKey } from '../reference/kv-signal.js';
import type { KvShape, KvSignalCase, NativeKvBlocks } from '../testing/attention.js';
import { BASE, blocksOf, randomRows, targetsOf, TILE } from './kv-store.js';
import type { Rows } from './kv-store.js';

const SOURCES = [0, 1]; // blocks of the tokens that edited keys are of
const BEFORE = SOURCES.length * TILE;
const TEXT = [5, 2, 7, 4];
const EDITED_KEYS = [40, 1, 0, 33, 32, 45]; // of each layer's heads
const EDITED_BLOCKS = 2; // of each head

export interface SignalContext {
  kv: NativeKvBlocks;
  shape: KvShape;
  /** What every question says of it. */
  where: Pick<KvSignalCase, 'before' | 'beforeKeys' | 'blocks' | 'firstIndex' | 'tokens'>;
  /** Of each (layer, head). */
  keys: SignalKey[][];
}

interface Options {
  tokens: number;
  edited?: boolean;
  threads?: number;
  /** Tokens of the text whose keys are zero. */
  zeros?: readonly number[];
  /** Stored keys are exactly the rounded ones at 0, the default; they are rotated elsewhere. */
  positionOf?: (token: number) => number;
}

/** Keys of one head as they are stored. */
function storedKeys(
  shape: KvShape,
  { k, v }: Rows,
  head: number,
  positionOf: (t: number) => number,
) {
  const { headDim, kvHeads, interleaved, format } = shape;
  return Array.from({ length: k.length / (kvHeads * headDim) }, (_, token) => {
    const at = (token * kvHeads + head) * headDim;
    const part = (all: Float32Array) => all.subarray(at, at + headDim);
    const how = { rope: BASE, interleaved, format };
    return kvWrite(part(k), part(v), positionOf(token), how).key;
  });
}

function write(
  { kv, shape }: Pick<SignalContext, 'kv' | 'shape'>,
  layer: number,
  blocks: readonly number[],
  rows: Rows,
  positionOf: (token: number) => number,
): void {
  const tokens = rows.k.length / (shape.kvHeads * shape.headDim);
  const targets = targetsOf(blocks, tokens);
  for (let i = 0; i < tokens; i++) targets[3 * i + 2] = positionOf(i);
  kv.write(layer, targets, rows.k, rows.v);
}

/** The tokens that a head keeps, and for how many keys each stands. */
const editedOf = (n: number) =>
  Array.from({ length: n }, (_, i) => ({
    token: Math.floor((i * BEFORE) / n),
    log2: i % 7 === 3 ? -Infinity : i % 5 === 0 ? Math.fround(Math.log2(3)) : 0,
  }));

function gather({ kv, shape }: Pick<SignalContext, 'kv' | 'shape'>, layer: number, head: number) {
  const number = layer * shape.kvHeads + head;
  const kept = editedOf(EDITED_KEYS[number]!);
  const moves = kept.flatMap(({ token }, i) => {
    const from = [layer, head, SOURCES[Math.floor(token / TILE)]!, token % TILE, 0];
    return [...from, EDITED_BLOCKS * number + Math.floor(i / TILE), i % TILE, token];
  });
  kv.gather(
    Int32Array.from(moves),
    Float32Array.from(kept, ({ log2 }) => log2),
  );
}

export function contextOf(path: string, shape: KvShape, options: Options): SignalContext {
  const { tokens, edited = false, threads = 2, zeros = [], positionOf = () => 0 } = options;
  const kv = blocksOf(path, shape, threads);
  const width = shape.kvHeads * shape.headDim;
  const keys: SignalKey[][] = [];
  for (let layer = 0; layer < shape.layers; layer++) {
    const before = randomRows(shape, BEFORE, 10 + layer);
    const text = randomRows(shape, tokens, 20 + layer);
    for (const token of zeros) text.k.fill(0, token * width, (token + 1) * width);
    write({ kv, shape }, layer, SOURCES, before, positionOf);
    write({ kv, shape }, layer, TEXT, text, positionOf);
    for (let head = 0; head < shape.kvHeads; head++) {
      const sources = storedKeys(shape, before, head, positionOf);
      const own = storedKeys(shape, text, head, positionOf);
      if (edited) gather({ kv, shape }, layer, head);
      const kept = edited ? editedOf(EDITED_KEYS[keys.length]!) : [];
      keys.push([
        ...kept.map(({ token, log2 }) => ({ key: sources[token]!, index: token, log2 })),
        ...own.map((key, i) => ({ key, index: BEFORE + i, log2: 0 })),
      ]);
    }
  }
  const blocks = keys.map((_, head) =>
    Array.from({ length: EDITED_BLOCKS }, (__, i) => EDITED_BLOCKS * head + i),
  );
  const table = { before: blocks, beforeKeys: EDITED_KEYS };
  return {
    kv,
    shape,
    where: { blocks: TEXT, firstIndex: BEFORE, tokens, ...(edited ? table : {}) },
    keys,
  };
}

/** One plane of what a signal says of the keys of each (layer, head). */
export function planesOf({ keys }: SignalContext, out: Float32Array, planes = 1): Float32Array[][] {
  const most = Math.max(...keys.map((head) => head.length));
  return keys.map((head, number) =>
    Array.from({ length: planes }, (_, plane) => {
      const at = (number * planes + plane) * most;
      return out.subarray(at, at + head.length);
    }),
  );
}
