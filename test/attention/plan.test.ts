import fc from 'fast-check';

import { testing } from '../testing.js';
import type { Plan, PlanOptions, PlanPart, PlanSequence } from '../testing/plan.js';

const TILE = 32;
const SPAN_TILES = 8;
const SPAN_GROUP_TILES = 128;
const SPAN = SPAN_TILES * TILE;

/** A sealed part: keys of a document from some block on, perhaps not from its first key nor to the last of a block. */
const sealed = fc.record({
  document: fc.nat({ max: 2 }),
  skipped: fc.constantFrom(0, 0, 1, 5), // blocks
  first: fc.oneof(fc.constant(0), fc.nat({ max: 31 })),
  keys: fc.oneof(fc.constantFrom(1, 31, 32, 33, 256, 4096), fc.integer({ min: 1, max: 9000 })),
});
/** How a context has a part: where the part before it ends, or anywhere, be it beyond the rows. */
const use = fc.record({
  part: fc.nat({ max: 4 }),
  anywhere: fc.option(fc.integer({ min: -5000, max: 3000 })),
  shift: fc.integer({ min: -3000, max: 3000 }),
});
/** A sequence that shares some tokens with one before it, and goes on by itself. */
const branch = fc.record({
  parent: fc.nat({ max: 5 }),
  shared: fc.integer({ min: 0, max: 9000 }),
  own: fc.integer({ min: 0, max: 700 }),
  rows: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 150 })),
  before: fc.array(use, { maxLength: 4 }),
});
const options = fc.record({
  headsPerKvHead: fc.constantFrom(1, 3, 8, 64, 128),
  kvHeads: fc.constantFrom(1, 4),
  parallelism: fc.constantFrom(1, 2, 64),
  window: fc.constantFrom(0, 1, 31, 256, 1000, 5000),
  grouped: fc.boolean(),
});

type Given<T> = T extends fc.Arbitrary<infer V> ? V : never;
type Sealed = Pick<PlanPart, 'blocks' | 'first' | 'end'>;

/** Parts that share whole blocks if they begin at the same block of one document; those that they fill in part are copies. */
function sealedParts(given: Given<typeof sealed>[]): Sealed[] {
  let nextCopy = -1;
  return given.map(({ document, skipped, first, keys }) => {
    const end = first + keys;
    const blocks = Int32Array.from({ length: Math.ceil(end / TILE) }, (_, block) => {
      const isWhole = first <= block * TILE && (block + 1) * TILE <= end;
      return isWhole ? 1_000_000 * (document + 1) + skipped + block : nextCopy--;
    });
    return { blocks, first, end };
  });
}

/** Blocks of a random tree: whole blocks of what is shared are the parent's. Before them stand sealed parts. */
function sequencesOf(branches: Given<typeof branch>[], parts: Sealed[] = []): PlanSequence[] {
  const made: (PlanSequence & { keys: number })[] = [];
  let nextBlock = 0;
  for (const [i, { parent, shared, own, rows, before: uses }] of branches.entries()) {
    const other = made.length > 0 ? made[parent % made.length]! : undefined;
    const common = Math.min(shared, other?.keys ?? shared);
    const keys = i === 0 ? common : common + own; // before the first row
    const blocks = Int32Array.from(
      { length: Math.ceil((common + own + rows) / TILE) },
      (_, block) =>
        other && block < Math.floor(common / TILE) ? other.blocks[block]! : nextBlock++,
    );
    let origin = 0;
    const before = uses.map(({ part, anywhere, shift }) => {
      const { blocks: theirs, first, end } = parts[part % parts.length]!;
      const position = (anywhere ?? origin) - first;
      if (anywhere === null) origin = position + end;
      return { blocks: theirs, first, end, position, shift };
    });
    made.push({ rows, position: origin + keys, blocks, origin, before, keys });
  }
  return made;
}

/** What each row reads, by following merges and what they resume. */
function piecesOf({ items }: Plan) {
  const pieces = new Map<number, { from: number; to: number; resumes: number; part: number }>();
  for (const { part, firstTile, endTile, rows } of items) {
    for (const { firstKey, endKey, partial, resumes } of rows) {
      if (pieces.has(partial)) throw new Error('a partial is written once');
      pieces.set(partial, {
        from: Math.max(firstTile * TILE, firstKey),
        to: Math.min(endTile * TILE, endKey),
        resumes,
        part,
      });
    }
  }
  return pieces;
}

/** The parts of a sequence, the open one last. */
function partsOf({ rows, position, blocks, origin = 0, before = [] }: PlanSequence): PlanPart[] {
  const end = position + rows - origin;
  return [...before, { blocks, first: 0, end, position: origin, shift: 0 }];
}

/** The keys that a row at `row` must read of each part, without those of which it reads none. */
function readsOf(parts: PlanPart[], row: number, window: number) {
  return parts
    .map(({ blocks, first, end, position }) => {
      const oldest = window === 0 ? first : row - window + 1 - position;
      return { blocks, from: Math.max(first, oldest), to: Math.min(end, row + 1 - position) };
    })
    .filter(({ from: first, to }) => first < to);
}

/** Follows what each row reads: part by part, group by group, key by key. */
function checkReads(sequences: PlanSequence[], { window }: PlanOptions, plan: Plan): void {
  const pieces = piecesOf(plan);
  const tables = sequences.flatMap(partsOf).map(({ blocks }) => blocks);
  const rows = sequences.flatMap((sequence) =>
    Array.from({ length: sequence.rows }, (_, i) =>
      readsOf(partsOf(sequence), sequence.position + i, window),
    ),
  );
  expect(plan.merges).toHaveLength(rows.length);
  const used = new Set<number>();
  rows.forEach((reads, row) => {
    let part = 0;
    let covered = reads[0]!.from;
    let place = ''; // the part and its span group
    let group = -1;
    for (const { partial, spanGroup } of plan.merges[row]!) {
      if (covered === reads[part]!.to) covered = reads[++part]!.from;
      const { blocks, to: end } = reads[part]!;
      const before = place;
      place = [part, Math.floor(covered / (SPAN_GROUP_TILES * TILE))].join();
      if (place !== before) group++;
      if (spanGroup !== group) throw new Error(`row ${row}: ${spanGroup} is not group ${group}`);
      const chain: number[] = [];
      for (let at = partial; at >= 0; at = pieces.get(at)!.resumes) chain.unshift(at);
      if (chain.length > 1) {
        // What is resumed lies within one span.
        const { to } = pieces.get(chain.at(-2)!)!;
        if (Math.floor(covered / SPAN) !== Math.floor(to / SPAN))
          throw new Error('more than a span');
      }
      for (const at of chain) {
        const piece = pieces.get(at)!;
        if (piece.from !== covered || piece.to <= covered || piece.to > end)
          throw new Error(`row ${row}: ${covered}, ${piece.from}-${piece.to} of ${end}`);
        for (let block = Math.floor(covered / TILE); block * TILE < piece.to; block++)
          if (tables[piece.part]![block] !== blocks[block])
            throw new Error(`row ${row} reads a strange block`);
        covered = piece.to;
        if (used.has(at)) throw new Error('a partial is used once');
        used.add(at);
      }
    }
    if (part !== reads.length - 1 || covered !== reads[part]!.to)
      throw new Error(`row ${row} reads to ${covered} of part ${part}`);
  });
  expect(used.size).toBe(pieces.size);
}

/** Items end where the arithmetic allows; each runs once per head, after all that it resumes. */
function checkItems({ items, pieces }: Plan, kvHeads: number): void {
  for (const { firstTile, endTile } of items) {
    expect(Math.floor(firstTile / SPAN_GROUP_TILES)).toBe(
      Math.floor((endTile - 1) / SPAN_GROUP_TILES),
    );
    if (firstTile % SPAN_GROUP_TILES >= SPAN_TILES)
      expect(Math.floor(firstTile / SPAN_TILES)).toBe(Math.floor((endTile - 1) / SPAN_TILES));
  }
  const heads = pieces.flatMap(({ item, head, heads: n }) =>
    Array.from({ length: n }, (_, i) => item * kvHeads + head + i),
  );
  expect([...heads].sort((a, b) => a - b)).toEqual(
    Array.from({ length: items.length * kvHeads }, (_, i) => i),
  );
  const itemOf = new Map(items.flatMap((item, i) => item.rows.map((row) => [row.partial, i])));
  const phaseOf = new Map(pieces.map(({ item, phase }) => [item, phase]));
  for (const { item, phase } of pieces) {
    for (const { resumes } of items[item]!.rows)
      if (resumes >= 0 && phaseOf.get(itemOf.get(resumes)!)! >= phase)
        throw new Error('what is resumed comes in an earlier phase');
  }
}

function checkPlan(sequences: PlanSequence[], how: PlanOptions): Plan {
  const plan = testing.plan(sequences, how);
  checkReads(sequences, how, plan);
  checkItems(plan, how.kvHeads);
  return plan;
}

const allBranches = fc.array(branch, { minLength: 1, maxLength: 8 });
const allSealed = fc.array(sealed, { minLength: 1, maxLength: 5 });

test('covers every (row, key in its window) exactly once, whoever shares what, in items that begin and end where the arithmetic allows', () => {
  fc.assert(
    fc.property(allBranches, options, (branches, how) => {
      checkPlan(sequencesOf(branches.map((one) => ({ ...one, before: [] }))), how);
    }),
    { numRuns: 80 },
  );
});

test('so it does if contexts have parts, which others read in another order, at other positions, or twice', () => {
  fc.assert(
    fc.property(allBranches, allSealed, options, (branches, given, how) => {
      checkPlan(sequencesOf(branches, sealedParts(given)), how);
    }),
    { numRuns: 150 },
  );
});

const chain = (...blocks: number[]) => Int32Array.from(blocks);
const from = (first: number, n: number) => Array.from({ length: n }, (_, i) => first + i);
const how = { headsPerKvHead: 3, kvHeads: 2, parallelism: 1, window: 0, grouped: true };

describe('groups', () => {
  test('several unrelated groups, levels of one group, and rows alone, in one step', () => {
    const [a, b] = [from(100, 20), from(200, 9)];
    const plan = checkPlan(
      [
        { rows: 1, position: 20 * TILE, blocks: chain(...a, 1) },
        { rows: 1, position: 20 * TILE, blocks: chain(...a, 2) },
        { rows: 1, position: 9 * TILE, blocks: chain(...b, 3) },
        { rows: 1, position: 12 * TILE, blocks: chain(...a.slice(0, 12), 4) },
        { rows: 1, position: 9 * TILE + 5, blocks: chain(...b, 5) },
        { rows: 1, position: 40, blocks: chain(6, 7) },
      ],
      how,
    );
    expect(plan.ranges).toEqual([
      { firstTile: 0, endTile: 12, readers: 3, depth: 0, grouped: true },
      { firstTile: 12, endTile: 20, readers: 2, depth: 1, grouped: true },
      { firstTile: 0, endTile: 9, readers: 2, depth: 0, grouped: true },
    ]);
    // Three spans are handed on, none of them twice.
    expect(plan.items.flatMap(({ rows }) => rows.filter((row) => row.resumes >= 0))).toHaveLength(
      3 + 2 + 2,
    );
    expect(Math.max(...plan.pieces.map(({ phase }) => phase))).toBe(1);
  });

  test('every block of a group is read by as few items as its rows allow', () => {
    const shared = from(1000, 64);
    const plan = checkPlan(
      Array.from({ length: 64 }, (_, i) => ({
        rows: 1,
        position: 64 * TILE,
        blocks: chain(...shared, i),
      })),
      how,
    );
    const readers = plan.items.filter(({ firstTile }) => firstTile === 0);
    expect(readers).toHaveLength(2); // 96 queries each
  });

  test('parts are read together wherever they stand: in another order, at another position, twice', () => {
    const part = (first: number, keys: number) => ({
      blocks: chain(...from(first, Math.ceil(keys / TILE))),
      first: 3,
      end: keys,
    });
    const [a, b] = [part(100, 20 * TILE), part(200, 9 * TILE + 5)];
    const at = (one: typeof a, position: number) => ({ ...one, position, shift: position });
    const own = { rows: 1, position: 2000, origin: 2000 };
    const plan = checkPlan(
      [
        { ...own, blocks: chain(1), before: [at(a, 0), at(b, 640)] },
        { ...own, blocks: chain(2), before: [at(b, -3), at(a, 290)] },
        { ...own, blocks: chain(3), before: [at(b, 0), at(b, 400), at(a, 700)] },
      ],
      how,
    );
    const range = { firstTile: 0, depth: 0, grouped: true };
    expect(plan.ranges).toEqual([
      { ...range, endTile: 20, readers: 3 },
      { ...range, endTile: 10, readers: 4 },
    ]);
    // Two rows have one part at two places, and the last one reads its part twice.
    const ofPart = (last: number) =>
      plan.items
        .filter(({ endTile }) => endTile === last)
        .map(({ rows }) => rows.map((r) => r.row));
    expect(ofPart(20)).toEqual([[0, 1, 2]]);
    expect(ofPart(10)).toEqual([[0, 1, 2, 2]]);
    expect(plan.merges.map((entries) => entries.at(-1)!.spanGroup)).toEqual([2, 2, 3]);
  });

  const cheapTogether = {
    tile: Float32Array.from([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    partial: 0.1,
  };
  const dearPartial = { ...cheapTogether, partial: 100 };
  const noGain = {
    tile: Float32Array.from([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64]),
    partial: 0.1,
  };

  test.each([
    ['cheaper together', cheapTogether, true],
    ['what it hands over costs more', dearPartial, false],
    ['a tile costs as much per query', noGain, false],
  ])('measured costs decide: %s', (_, costs, grouped) => {
    const shared = from(1000, 12);
    const sequences = Array.from({ length: 8 }, (__, i) => ({
      rows: 1,
      position: 12 * TILE,
      blocks: chain(...shared, i),
    }));
    const { ranges } = checkPlan(sequences, { ...how, costs });
    expect(ranges).toMatchObject([{ readers: 8, grouped }]);
  });

  test('a range that does not pay alone is read with what follows it', () => {
    // The root has three readers per branch; only the branches' own ranges are long enough.
    const costs = { ...cheapTogether, partial: 0.3 };
    const root = from(1000, 1);
    const branches = [from(2000, 64), from(3000, 64)];
    const sequences = [0, 1, 2, 3, 4, 5].map((i) => ({
      rows: 1,
      position: 65 * TILE,
      blocks: chain(...root, ...branches[i % 2]!, i),
    }));
    const { ranges, items } = checkPlan(sequences, { ...how, costs });
    expect(ranges.map(({ grouped }) => grouped)).toEqual([false, true, true]);
    expect(items.filter(({ firstTile }) => firstTile === 0)).toHaveLength(2);
  });
});
