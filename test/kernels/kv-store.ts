/** Blocks of keys and values for a test, and what can be read of them: values exactly, keys through scores. */
import { Random } from '../random.js';
import { ropeTable } from '../reference/attention.js';
import { testing } from '../testing.js';
import type { KvShape, NativeKvBlocks } from '../testing/attention.js';

export const TILE = 32;
export const BASE = 10_000;

export function shapeOf(format: 'f32' | 'bf16', given: Partial<KvShape> = {}): KvShape {
  const headDim = given.headDim ?? 32;
  return {
    format,
    layers: 2,
    kvHeads: 3,
    headDim,
    blocks: 8,
    interleaved: true,
    ...ropeTable(512, headDim, BASE),
    ...given,
  };
}

export function blocksOf(path: string, shape: KvShape, threads = 2): NativeKvBlocks {
  return new testing.KvBlocks(path, threads, shape);
}

/** Rows of keys and values. */
export interface Rows {
  k: Float32Array;
  v: Float32Array;
}

export function randomRows({ kvHeads, headDim }: KvShape, rows: number, seed: number): Rows {
  const random = new Random(seed);
  const size = rows * kvHeads * headDim;
  return { k: random.normals(size), v: random.normals(size) };
}

/** Where tokens go that follow each other: block, slot and position of each. */
export function targetsOf(blocks: readonly number[], tokens: number, first = 0): Int32Array {
  return Int32Array.from(
    Array.from({ length: tokens }, (_, i) => first + i).flatMap((at) => [
      blocks[Math.floor(at / TILE)]!,
      at % TILE,
      at,
    ]),
  );
}

/** The values of the first tokens, to the bit: a query that reads one key gives that key's value. */
export function valuesOf(
  kv: NativeKvBlocks,
  { kvHeads, headDim }: KvShape,
  layer: number,
  blocks: readonly number[],
  tokens: number,
): Float32Array {
  const q = new Float32Array(tokens * kvHeads * headDim);
  return kv.attend(layer, Int32Array.from(blocks), tokens, 1, q);
}

/** What seeded queries make of the first tokens: other keys, or keys in other places, give other numbers. */
export function readingsOf(
  kv: NativeKvBlocks,
  { kvHeads, headDim }: KvShape,
  layer: number,
  blocks: readonly number[],
  tokens: number,
): Float32Array {
  const q = queriesOf({ kvHeads, headDim }, tokens);
  return kv.attend(layer, Int32Array.from(blocks), tokens, 0, q);
}

export const queriesOf = (
  { kvHeads, headDim }: Pick<KvShape, 'kvHeads' | 'headDim'>,
  rows: number,
) => new Random(99).normals(rows * kvHeads * headDim);
