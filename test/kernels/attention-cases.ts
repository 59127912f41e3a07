/**
 * Cases of attention, what they must give, and how far a result may be from it. A tolerance that is wider than what a fault
 * moves would make a test that cannot fail, so it is taken from an honest baseline - the same sums with inputs rounded as the
 * device rounds them - and `leastFault` says what leaving out the least important tile would move.
 */
import { Random } from '../random.js';
import { rotate, ropeTable, weightedSum, weights } from '../reference/attention.js';
import { roundBf16 } from '../reference/half.js';
import type { AttentionCase, AttentionContext } from '../testing/attention.js';

export const BASE = 10000;
const POSITIONS = 4200; // more than any context here
export const TILE = 32;
/** An error may be so many times what rounding of the inputs makes: in f32 every sum rounds, too, not only the inputs. */
const HONEST = { f32: 8, bf16: 2 };

export function shape(
  heads: number,
  kvHeads: number,
  headDim: number,
  options: Partial<AttentionCase> = {},
): AttentionCase {
  return {
    heads,
    kvHeads,
    headDim,
    format: 'f32',
    parallelism: 1,
    window: 0,
    grouped: true,
    interleaved: true,
    ...ropeTable(POSITIONS, headDim, BASE),
    ...options,
  };
}

/** Normal keys, values and queries: `rows` queries are those of the last tokens. */
export function context(
  tokens: number,
  rows: number,
  { heads, kvHeads, headDim }: AttentionCase,
  random: Random,
): AttentionContext {
  return {
    k: random.normals(tokens * kvHeads * headDim),
    v: random.normals(tokens * kvHeads * headDim),
    q: random.normals(rows * heads * headDim),
    rows,
  };
}

export interface Expected {
  /** In float64: [rows, heads, headDim]. */
  out: number[];
  /** What a sound result may differ by, at most. */
  tolerance: number;
  /** How far the result moves at least when any one tile of keys is left out. */
  leastFault: number;
}

/** A seeded case and what it must give; devices ask for the same ones. */
export function seeded(
  c: AttentionCase,
  tokens: number,
  rows: number,
): { one: AttentionContext; wanted: Expected } {
  const { heads, kvHeads, headDim, format, window, interleaved } = c;
  const key = [heads, kvHeads, headDim, format, window, interleaved, tokens, rows].join();
  const known = cases.get(key);
  if (known) return known;
  const one = context(tokens, rows, c, new Random(tokens + rows));
  const made = { one, wanted: expected(c, one) };
  cases.set(key, made);
  return made;
}

const cases = new Map<string, { one: AttentionContext; wanted: Expected }>();

/** What one row and head read: rotated, and perhaps rounded. */
export interface Reads {
  q: Float64Array;
  keys: readonly ArrayLike<number>[];
  values: readonly ArrayLike<number>[];
  tiles: Tile[];
  /** What each key counts; if it is not given, the softmax of scores says it. */
  shares?: Float64Array;
}

/** What attention must give in float64, and the two numbers that a comparison needs. */
function expected(c: AttentionCase, one: AttentionContext): Expected {
  const exact = inputs(c, one, (value) => value);
  const rounded = inputs(c, one, rounding(c));
  const all = Array.from(
    { length: one.rows * c.heads },
    (_, i) => [Math.floor(i / c.heads), i % c.heads] as const,
  );
  return expectedOf(
    c,
    all.map(([row, head]) => ({ exact: exact.of(row, head), rounded: rounded.of(row, head) })),
  );
}

/** How a device rounds queries, keys, values and weights. */
export const rounding = ({ format }: AttentionCase) =>
  format === 'bf16' ? roundBf16 : Math.fround;

/** The same for all rows and heads, given what they read. */
export function expectedOf(
  c: AttentionCase,
  reads: Iterable<{ exact: Reads; rounded: Reads }>,
): Expected {
  const round = rounding(c);
  const out: number[] = [];
  const moved: number[] = []; // by leaving out each tile, at most
  let baseline = 0;
  let largest = 0;
  for (const { exact, rounded } of reads) {
    const each = exact.shares ?? weights(exact.q, exact.keys);
    const sum = weightedSum(each, exact.values, c.headDim);
    const roundedWeights = (rounded.shares ?? weights(rounded.q, rounded.keys)).map(round);
    const base = weightedSum(roundedWeights, rounded.values, c.headDim);
    sum.forEach((value, i) => {
      baseline = Math.max(baseline, Math.abs(value - base[i]!));
      largest = Math.max(largest, Math.abs(value));
    });
    out.push(...sum);
    for (const tile of exact.tiles) {
      const change = withoutTile(each, exact.values, sum, tile);
      moved[tile.index] = Math.max(moved[tile.index] ?? 0, change);
    }
  }
  const leastFault = moved.reduce((a, b) => Math.min(a, b), Infinity);
  return { out, tolerance: HONEST[c.format] * baseline + 1e-6 * largest, leastFault };
}

export interface Tile {
  /** Tells it from all others. */
  index: number;
  /** Among the keys that the row reads. */
  begin: number;
  end: number;
}

function tilesOf(first: number, keys: number): Tile[] {
  const tiles: Tile[] = [];
  for (let index = Math.floor(first / TILE); index * TILE < first + keys; index++) {
    const begin = Math.max(0, index * TILE - first);
    tiles.push({ index, begin, end: Math.min(keys, (index + 1) * TILE - first) });
  }
  return tiles;
}

/** The largest change of a result that forgets the keys of a tile. */
function withoutTile(
  each: Float64Array,
  values: readonly ArrayLike<number>[],
  sum: Float64Array,
  { begin, end }: Tile,
): number {
  const share = each.subarray(begin, end).reduce((a, b) => a + b, 0);
  if (end - begin === each.length) return Infinity; // nothing would be left
  const part = weightedSum(each.subarray(begin, end), values.slice(begin, end), sum.length);
  const changes = sum.map((value, i) => Math.abs((value - part[i]!) / (1 - share) - value));
  return changes.reduce((a, b) => Math.max(a, b), 0);
}

/** Rotated queries and keys, and values, of a row and head; everything is rotated and rounded once. */
function inputs(
  { heads, kvHeads, headDim, window, interleaved }: AttentionCase,
  { k, v, q, rows }: AttentionContext,
  round: (value: number) => number,
): { of(row: number, head: number): Reads } {
  const tokens = k.length / (kvHeads * headDim);
  const vector = (array: Float32Array, index: number) =>
    array.subarray(index * headDim, (index + 1) * headDim);
  const groups = Array.from({ length: kvHeads }, (_, group) => ({
    keys: Array.from({ length: tokens }, (__, t) =>
      rotate(vector(k, t * kvHeads + group), t, BASE, interleaved).map(round),
    ),
    values: Array.from({ length: tokens }, (__, t) =>
      Float64Array.from(vector(v, t * kvHeads + group), round),
    ),
  }));
  return {
    of(row: number, head: number) {
      const position = tokens - rows + row;
      const first = window === 0 ? 0 : Math.max(0, position + 1 - window);
      const { keys, values } = groups[Math.floor(head / (heads / kvHeads))]!;
      return {
        q: rotate(vector(q, row * heads + head), position, BASE, interleaved).map(round),
        keys: keys.slice(first, position + 1),
        values: values.slice(first, position + 1),
        tiles: tilesOf(first, position + 1 - first),
      };
    },
  };
}

/** Fails where a result is too far from what it must be, or where no fault could be seen. */
export function expectAttention(actual: ArrayLike<number>, wanted: Expected): void {
  expect(wanted.leastFault).toBeGreaterThan(2 * wanted.tolerance);
  expectNear(actual, wanted);
}

/** The same where some keys count for next to nothing, as they should. */
export function expectNear(actual: ArrayLike<number>, wanted: Expected): void {
  const error = wanted.out.reduce(
    (most, value, i) => Math.max(most, Math.abs(actual[i]! - value)),
    0,
  );
  expect(actual).toHaveLength(wanted.out.length);
  expect(error).toBeLessThanOrEqual(wanted.tolerance);
}

/** To the bit: zeros of two signs differ, and NaN equals itself. */
export const same = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  a.length === b.length && Array.from(a).every((value, i) => Object.is(value, b[i]));
