/** Contexts with edited parts: other keys for each head, log-weights, temperatures, blends and clamped queries. */
import { Random } from '../random.js';
import { rotate } from '../reference/attention.js';
import { sharesOf } from '../reference/weighted-parts.js';
import type {
  AttentionCase,
  AttentionContext,
  AttentionPart,
  EditedKey,
} from '../testing/attention.js';
import { BASE, context, expectedOf, rounding, TILE } from './attention-cases.js';
import type { Expected, Reads } from './attention-cases.js';

/** One sealed part: its tokens, and what becomes of them. */
export interface EditedCase {
  tokens: number;
  /** How many keys each KV head keeps; `null`: the part is not edited. */
  keys: readonly number[] | null;
  weights?: 'none' | 'some' | 'extreme';
  temperature?: number;
  lastPosition?: number;
  blend?: number;
  lseFactor?: number;
}

export interface EditedContexts {
  /** Contexts that hold one part each, and after them the one that reads all. */
  contexts: AttentionContext[];
  readonly wanted: Expected;
}

/** Keys of some tokens in ascending order, spread over all of them. */
export function keptKeys(
  tokens: number,
  keys: number,
  weights: EditedCase['weights'],
  random: Random,
): EditedKey[] {
  const kept = Array.from({ length: tokens }, (_, token) => [random.next(), token] as const)
    .sort(([a], [b]) => a - b)
    .slice(0, keys)
    .map(([, token]) => token)
    .sort((a, b) => a - b);
  const weightOf = (i: number) => {
    if (weights === 'some') return 3 * random.next() - 1;
    if (weights === 'extreme') return i % 3 === 0 ? -Infinity : 40 * random.next() - 20;
    return 0;
  };
  return kept.map((token, i) => ({ tokens: [token], weight: Math.fround(weightOf(i)) }));
}

/** Parts one after the other, then `own` tokens, the last `rows` of them the step's. */
export function editedContexts(
  c: AttentionCase,
  parts: readonly EditedCase[],
  own: number,
  rows: number,
): EditedContexts {
  const random = new Random(parts.length + own + rows);
  const contexts: AttentionContext[] = [];
  const before: AttentionPart[] = [];
  let next = 0;
  for (const [i, { tokens, keys, weights, ...reading }] of parts.entries()) {
    const position = random.below(500);
    contexts.push({ ...context(tokens, 1, c, random), position });
    const edit = keys?.map((n) => keptKeys(tokens, n, weights, random));
    before.push({
      context: i,
      first: 0,
      end: tokens,
      shift: next - position,
      ...(edit === undefined ? {} : { edit }),
      ...reading,
    });
    next += tokens;
  }
  contexts.push({ ...context(own, rows, c, random), position: next, before });
  return {
    contexts,
    get wanted() {
      return expectedOfLast(c, contexts);
    },
  };
}

const vectorOf = (array: Float32Array, index: number, size: number) =>
  array.subarray(index * size, (index + 1) * size);

type Round = (x: number) => number;

/** The keys of one part and KV head as the context has them, each with its tile. */
function keysOfPart(
  c: AttentionCase,
  { k, v, position: stored = 0 }: AttentionContext,
  { first, end, shift, edit, ...reading }: AttentionPart,
  group: number,
  round: Round,
) {
  const at = (array: Float32Array, token: number) =>
    vectorOf(array, (first + token) * c.kvHeads + group, c.headDim);
  const rotated = (token: number) =>
    rotate(at(k, token), stored + first + token + shift, BASE, c.interleaved).map(round);
  const mean = (of: readonly ArrayLike<number>[]) =>
    of.length === 1
      ? Float64Array.from(of[0]!)
      : Float64Array.from(of[0]!, (_, i) =>
          round(of.reduce((sum, vector) => sum + vector[i]!, 0) / of.length),
        );
  const kept =
    edit?.[group] ?? Array.from({ length: end - first }, (_, i) => ({ tokens: [i], weight: 0 }));
  return kept.map(({ tokens, weight }, slot) => ({
    key: mean(tokens.map(rotated)),
    value: mean(tokens.map((token) => Float64Array.from(at(v, token), round))),
    weight,
    temperature: reading.temperature ?? 1,
    lastPosition: reading.lastPosition ?? Infinity,
    blend: reading.blend ?? -1,
    lseFactor: reading.lseFactor ?? 1,
    position: stored + first + tokens[0]! + shift,
    tile: Math.floor(slot / TILE),
  }));
}

/** What the last context must give. */
export function expectedOfLast(c: AttentionCase, contexts: readonly AttentionContext[]): Expected {
  const one = contexts.at(-1)!;
  const { before = [], position = 0, rows, q } = one;
  const own = one.k.length / (c.kvHeads * c.headDim);
  const sources = [
    ...before.map((part) => [contexts[part.context]!, part] as const),
    [one, { context: 0, first: 0, end: own, shift: 0 }] as const,
  ];
  const groupsOf = (round: Round) =>
    Array.from({ length: c.kvHeads }, (_, group) =>
      sources.flatMap(([source, part], i) =>
        keysOfPart(c, source, part, group, round).map((key) => ({ ...key, part: i })),
      ),
    );
  const exact = groupsOf((x) => x);
  const rounded = groupsOf(rounding(c));
  function* reads() {
    for (let i = 0; i < rows * c.heads; i++) {
      const at = position + own - rows + Math.floor(i / c.heads);
      const group = Math.floor((i % c.heads) / (c.heads / c.kvHeads));
      const query = {
        q: vectorOf(q, i, c.headDim),
        position: at,
        base: BASE,
        interleaved: c.interleaved,
      };
      const readsOf = (all: (typeof exact)[number], round: Round): Reads => {
        const seen = all.filter(
          (key) => key.position <= at && (c.window === 0 || key.position > at - c.window),
        );
        return {
          q: Float64Array.from(query.q),
          keys: seen.map(({ key }) => key),
          values: seen.map(({ value }) => value),
          tiles: tilesOf(seen),
          shares: sharesOf(query, seen, round),
        };
      };
      yield {
        exact: readsOf(exact[group]!, (x) => x),
        rounded: readsOf(rounded[group]!, rounding(c)),
      };
    }
  }
  return expectedOf(c, reads());
}

/** The keys of each tile of each part, which are beside each other. */
function tilesOf(seen: readonly { part: number; tile: number }[]): Reads['tiles'] {
  const tiles: Reads['tiles'] = [];
  seen.forEach(({ part, tile }, i) => {
    const index = 1000 * part + tile;
    if (tiles.at(-1)?.index === index) tiles.at(-1)!.end = i + 1;
    else tiles.push({ index, begin: i, end: i + 1 });
  });
  return tiles;
}
