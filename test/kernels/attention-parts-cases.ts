/** Contexts of several parts, and what attention over them must give. */
import { Random } from '../random.js';
import { rotate, ropeTable } from '../reference/attention.js';
import { keysOf, seenFrom } from '../reference/attention-parts.js';
import type { ContextKey, Part } from '../reference/attention-parts.js';
import type { AttentionCase, AttentionContext, AttentionPart } from '../testing/attention.js';
import { BASE, context, expectedOf, rounding, shape, TILE } from './attention-cases.js';
import type { Expected, Reads, Tile } from './attention-cases.js';

const POSITIONS = 12_000; // more than any query's, moved back by a part's shift
const STRANGE = 1000; // value of tokens beside a part: who reads one shows it
const LOUD = 4; // times the values of a part's ends: a tile that holds few of its keys counts, too

export function partsShape(
  [heads, kvHeads, headDim]: readonly [number, number, number],
  options: Partial<AttentionCase> = {},
): AttentionCase {
  return shape(heads, kvHeads, headDim, { ...ropeTable(POSITIONS, headDim, BASE), ...options });
}

/** Tokens of each sealed part and of the open one, whose last `rows` are the step's. */
export interface PartsCase {
  sealed: readonly number[];
  own: number;
  rows: number;
  /** Each part begins where the one before it ends; else some stand anywhere, and may overlap. */
  inOrder?: boolean;
}

/** Contexts that hold one part each, and after them the one that reads all. */
export interface PartsContexts {
  contexts: AttentionContext[];
  wanted: Expected;
}

const cases = new Map<string, PartsContexts>();

/** A seeded case and what it must give; devices ask for the same ones. */
export function seededParts(c: AttentionCase, given: PartsCase): PartsContexts {
  const { heads, kvHeads, headDim, format, window, interleaved } = c;
  const key = JSON.stringify([heads, kvHeads, headDim, format, window, interleaved, given]);
  const known = cases.get(key);
  if (known) return known;
  const made = partsOf(c, given);
  cases.set(key, made);
  return made;
}

function partsOf(c: AttentionCase, { sealed, own, rows, inOrder }: PartsCase): PartsContexts {
  const random = new Random(sealed.reduce((seed, n) => 31 * seed + n, own + rows));
  const donors: AttentionContext[] = [];
  const before: AttentionPart[] = [];
  const places: number[] = [];
  let next = 0;
  for (const [i, tokens] of sealed.entries()) {
    const first = random.below(2) * random.below(TILE);
    const donor = donorOf(c, first, tokens, random);
    const isNext = inOrder === true || i % 2 === 0;
    const place = isNext ? next : random.below(next + 300) - 200;
    if (isNext) next += tokens;
    donors.push(donor);
    places.push(place);
    const shift = place - donor.position! - first;
    before.push({ context: i, first, end: first + tokens, shift });
  }
  const one = { ...context(own, rows, c, random), position: next, before };
  const contexts = [...donors, one];
  return { contexts, wanted: expected(c, contexts, places) };
}

/** A context that has a part at token `first`: tokens beside it are strange ones. */
function donorOf(
  c: AttentionCase,
  first: number,
  tokens: number,
  random: Random,
): AttentionContext {
  const width = c.kvHeads * c.headDim;
  const made = context(first + tokens + random.below(40), 1, c, random);
  for (const token of new Set([first, first + tokens - 1]))
    for (let i = token * width; i < (token + 1) * width; i++) made.v[i]! *= LOUD;
  made.v.fill(STRANGE, 0, first * width);
  made.v.fill(STRANGE, (first + tokens) * width);
  return { ...made, position: random.below(1000) };
}

/** What the last context must give, whose parts stand at `places`. */
function expected(
  c: AttentionCase,
  contexts: readonly AttentionContext[],
  places: readonly number[],
): Expected {
  const one = contexts.at(-1)!;
  const { before = [], position = 0, rows, q } = one;
  const own = one.k.length / (c.kvHeads * c.headDim);
  const firsts = [...before.map(({ first }) => first % TILE), 0];
  const round = rounding(c);
  const groups = Array.from({ length: c.kvHeads }, (_, group) => {
    const sealed = before.map((part, i) =>
      partOf(c, contexts[part.context]!, group, part, places[i]!),
    );
    const open = partOf(c, one, group, { first: 0, end: own }, position);
    const exact = keysOf([...sealed, open], { base: BASE, interleaved: c.interleaved });
    // A device rounds them rotated by other angles; that moves them as far.
    const rounded = exact.map((token) => ({
      ...token,
      key: token.key.map(round),
      value: Float64Array.from(token.value, round),
    }));
    return { exact, rounded };
  });
  function* reads() {
    for (let i = 0; i < rows * c.heads; i++) {
      const [row, head] = [Math.floor(i / c.heads), i % c.heads];
      const at = position + own - rows + row;
      const group = groups[Math.floor(head / (c.heads / c.kvHeads))]!;
      const query = rotate(vectorOf(q, i, c.headDim), at, BASE, c.interleaved);
      const read = (rotated: Float64Array, keys: readonly ContextKey[]) =>
        readsOf(rotated, seenFrom(at, keys, c.window), firsts);
      yield { exact: read(query, group.exact), rounded: read(query.map(round), group.rounded) };
    }
  }
  return expectedOf(c, reads());
}

const readsOf = (
  q: Float64Array,
  seen: readonly ContextKey[],
  firsts: readonly number[],
): Reads => ({
  q,
  keys: seen.map(({ key }) => key),
  values: seen.map(({ value }) => value),
  tiles: tilesOf(seen, firsts),
});

const vectorOf = (array: Float32Array, index: number, size: number) =>
  array.subarray(index * size, (index + 1) * size);

function partOf(
  { kvHeads, headDim }: AttentionCase,
  { k, v }: AttentionContext,
  group: number,
  { first, end }: { first: number; end: number },
  position: number,
): Part {
  const vectors = (array: Float32Array) =>
    Array.from({ length: end - first }, (_, i) =>
      vectorOf(array, (first + i) * kvHeads + group, headDim),
    );
  return { k: vectors(k), v: vectors(v), position };
}

/** The tiles of parts, whose first tokens stand at slots `firsts` of a tile. */
function tilesOf(seen: readonly ContextKey[], firsts: readonly number[]): Tile[] {
  const tiles: Tile[] = [];
  seen.forEach(({ part, token }, i) => {
    const index = 1000 * part + Math.floor((firsts[part]! + token) / TILE);
    if (tiles.at(-1)?.index === index) tiles.at(-1)!.end = i + 1;
    else tiles.push({ index, begin: i, end: i + 1 });
  });
  return tiles;
}
