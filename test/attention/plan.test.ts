import fc from 'fast-check';

import { testing } from '../testing.js';
import type { Plan, PlanOptions, PlanSequence } from '../testing/plan.js';

const TILE = 32;
const SPAN_TILES = 8;
const SPAN_GROUP_TILES = 128;
const SPAN = SPAN_TILES * TILE;

/** A sequence that shares some tokens with one before it, and goes on by itself. */
const branch = fc.record({
  parent: fc.nat({ max: 5 }),
  shared: fc.integer({ min: 0, max: 9000 }),
  own: fc.integer({ min: 0, max: 700 }),
  rows: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 150 })),
});
const options = fc.record({
  headsPerKvHead: fc.constantFrom(1, 3, 8, 64, 128),
  kvHeads: fc.constantFrom(1, 4),
  parallelism: fc.constantFrom(1, 2, 64),
  window: fc.constantFrom(0, 1, 31, 256, 1000, 5000),
  grouped: fc.boolean(),
});

/** Blocks of a random tree: whole blocks of what is shared are the parent's. */
function sequencesOf(
  branches: { parent: number; shared: number; own: number; rows: number }[],
): PlanSequence[] {
  const made: PlanSequence[] = [];
  let nextBlock = 0;
  for (const [i, { parent, shared, own, rows }] of branches.entries()) {
    const before = made.length > 0 ? made[parent % made.length]! : undefined;
    const common = Math.min(shared, before?.position ?? shared);
    const position = common + own;
    const blocks = Int32Array.from({ length: Math.ceil((position + rows) / TILE) }, (_, block) =>
      before && block < Math.floor(common / TILE) ? before.blocks[block]! : nextBlock++,
    );
    made.push({ rows, position: i === 0 ? common : position, blocks });
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

function checkPlan(sequences: PlanSequence[], how: PlanOptions): Plan {
  const plan = testing.plan(sequences, how);
  const { items, merges, pieces } = plan;
  const rows = sequences.flatMap(({ rows: n, position }, sequence) =>
    Array.from({ length: n }, (_, i) => ({ sequence, end: position + i + 1 })),
  );
  expect(merges).toHaveLength(rows.length);
  const parts = piecesOf(plan);
  const used = new Set<number>();
  rows.forEach(({ sequence, end }, row) => {
    let covered = how.window === 0 ? 0 : Math.max(0, end - how.window);
    for (const { partial, spanGroup } of merges[row]!) {
      const chain: number[] = [];
      for (let at = partial; at >= 0; at = parts.get(at)!.resumes) chain.unshift(at);
      const first = parts.get(chain[0]!)!.from;
      if (spanGroup !== Math.floor(first / (SPAN_GROUP_TILES * TILE)))
        throw new Error('a strange span group');
      // What is resumed lies within one span.
      for (const at of chain.slice(0, -1)) {
        const { from, to } = parts.get(at)!;
        if (Math.floor(from / SPAN) !== Math.floor(to / SPAN)) throw new Error('more than a span');
      }
      for (const at of chain) {
        const { from, to, part } = parts.get(at)!;
        if (from !== covered || to <= from)
          throw new Error(`row ${row}: ${covered}, ${from}-${to}`);
        const [theirs, own] = [sequences[part]!.blocks, sequences[sequence]!.blocks];
        for (let block = Math.floor(from / TILE); block * TILE < to; block++)
          if (theirs[block] !== own[block]) throw new Error(`row ${row} reads a strange block`);
        covered = to;
        if (used.has(at)) throw new Error('a partial is used once');
        used.add(at);
      }
    }
    if (covered !== end) throw new Error(`row ${row} reads to ${covered} instead of ${end}`);
  });
  expect(used.size).toBe(parts.size);
  for (const { firstTile, endTile } of items) {
    expect(Math.floor(firstTile / SPAN_GROUP_TILES)).toBe(
      Math.floor((endTile - 1) / SPAN_GROUP_TILES),
    );
    if (firstTile % SPAN_GROUP_TILES >= SPAN_TILES)
      expect(Math.floor(firstTile / SPAN_TILES)).toBe(Math.floor((endTile - 1) / SPAN_TILES));
  }
  // Every item once per head, after all that it resumes.
  const heads = pieces.flatMap(({ item, head, heads: n }) =>
    Array.from({ length: n }, (_, i) => item * how.kvHeads + head + i),
  );
  expect([...heads].sort((a, b) => a - b)).toEqual(
    Array.from({ length: items.length * how.kvHeads }, (_, i) => i),
  );
  const itemOf = new Map(items.flatMap((item, i) => item.rows.map((row) => [row.partial, i])));
  const phaseOf = new Map(pieces.map(({ item, phase }) => [item, phase]));
  for (const { item, phase } of pieces) {
    for (const { resumes } of items[item]!.rows)
      if (resumes >= 0 && phaseOf.get(itemOf.get(resumes)!)! >= phase)
        throw new Error('what is resumed comes in an earlier phase');
  }
  return plan;
}

test('covers every (row, key in its window) exactly once, whoever shares what, in items that begin and end where the arithmetic allows', () => {
  fc.assert(
    fc.property(fc.array(branch, { minLength: 1, maxLength: 8 }), options, (branches, how) => {
      checkPlan(sequencesOf(branches), how);
    }),
    { numRuns: 80 },
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
