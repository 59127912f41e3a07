import fc from 'fast-check';

import { Random } from '../random.js';
import { testing } from '../testing.js';

const ids = (...tokens: number[]) => Int32Array.from(tokens);
const range = (n: number, from = 0) => Int32Array.from({ length: n }, (_, i) => from + i);
const join = (...parts: Int32Array[]) => Int32Array.from(parts.flatMap((part) => [...part]));

/** Computes a whole context, as a sequence would, and leaves it in the cache. */
function store(
  cache: InstanceType<typeof testing.KvCache>,
  key: string,
  tokens: Int32Array,
): number {
  const { leaf, cached } = cache.open(key, tokens);
  const rest = tokens.slice(cached);
  expect(cache.reserve(leaf, rest.length)).toBe(true);
  cache.commit(leaf, rest);
  cache.release(leaf);
  return cached;
}

describe('the prefix cache', () => {
  test('finds a stored prefix to the token, and only under its own key', () => {
    const cache = new testing.KvCache(64);
    store(cache, 'a', range(100));
    for (const n of [1, 31, 32, 33, 77, 99, 100])
      expect(cache.match('a', join(range(n), ids(-1, -2)))).toBe(n);
    expect(cache.match('a', ids(5))).toBe(0);
    expect(cache.match('b', range(100))).toBe(0);
  });

  test('shares whole blocks physically and copies the rest, at most 31 tokens', () => {
    const cache = new testing.KvCache(64);
    store(cache, '', range(100));
    const before = cache.counts();
    const { leaf, cached } = cache.open('', join(range(77), ids(-1)));
    expect(cached).toBe(77);
    expect(cache.counts().copied - before.copied).toBe(77 - 64);
    expect(before.free - cache.counts().free).toBe(1);
    cache.release(leaf);
  });

  test('a context that is continued where it ends costs no copy and no block', () => {
    const cache = new testing.KvCache(64);
    store(cache, '', range(50));
    const before = cache.counts();
    const { leaf, cached } = cache.open('', range(60));
    expect(cached).toBe(50);
    expect(cache.counts()).toMatchObject({ free: before.free, copied: before.copied });
    cache.release(leaf);
  });

  test('tokens are findable once committed, also while their sequence still runs', () => {
    const cache = new testing.KvCache(64);
    const { leaf } = cache.open('', range(90));
    cache.reserve(leaf, 90);
    expect(cache.match('', range(90))).toBe(0);
    cache.commit(leaf, range(70));
    expect(cache.match('', range(90))).toBe(70);
    const second = cache.open('', range(90));
    expect(second.cached).toBe(70);
    expect(cache.slabs(second.leaf).slice(0, 2)).toEqual(cache.slabs(leaf).slice(0, 2));
    cache.commit(leaf, range(20, 70));
    cache.release(leaf);
    cache.release(second.leaf);
  });

  test('equal contexts computed at the same time leave one copy', () => {
    const cache = new testing.KvCache(64);
    const leaves = [cache.open('', range(80)).leaf, cache.open('', range(80)).leaf];
    for (const leaf of leaves) {
      cache.reserve(leaf, 80);
      cache.commit(leaf, range(80));
    }
    for (const leaf of leaves) cache.release(leaf);
    expect(64 - cache.counts().free).toBe(3);
  });

  test('gives up what was used longest ago, never what is in use', () => {
    const cache = new testing.KvCache(8);
    store(cache, '', range(96, 1000));
    store(cache, '', range(96, 2000));
    expect(cache.open('', range(96, 1000)).cached).toBe(96); // stays open
    const { leaf } = cache.open('', range(128, 3000));
    expect(cache.reserve(leaf, 128)).toBe(true); // 4 blocks: 2 free ones and 2 of the second context
    expect(cache.match('', range(96, 1000))).toBe(96);
    expect(cache.match('', range(96, 2000))).toBe(32);
    expect(cache.reserve(leaf, 200)).toBe(false);
  });

  test('finds the longest of hundreds of texts that begin alike, however they were computed', () => {
    const cache = new testing.KvCache(4096);
    const random = new Random(7);
    const text = () =>
      Int32Array.from({ length: 1 + random.below(80) }, () => (random.below(10) < 9 ? 1 : 2));
    const stored: Int32Array[] = [];
    const longest = (tokens: Int32Array) =>
      Math.max(
        0,
        ...stored.map((other) => {
          const end = tokens.findIndex((token, i) => token !== other[i]);
          return end < 0 ? tokens.length : end;
        }),
      );
    for (let i = 0; i < 300; i++) {
      const tokens = text();
      expect(cache.match('', tokens)).toBe(longest(tokens));
      const { leaf, cached } = cache.open('', tokens);
      for (let at = cached; at < tokens.length; at++) {
        expect(cache.reserve(leaf, 1)).toBe(true);
        cache.commit(leaf, tokens.slice(at, at + 1));
      }
      stored.push(tokens);
      expect(cache.match('', tokens)).toBe(tokens.length);
      cache.release(leaf);
    }
  });

  test('a discarded leaf leaves nothing behind', () => {
    const cache = new testing.KvCache(8);
    const { leaf } = cache.open('', range(40));
    cache.reserve(leaf, 40);
    cache.commit(leaf, range(40));
    cache.discard(leaf);
    expect(cache.match('', range(40))).toBe(0);
    expect(cache.counts()).toMatchObject({ free: 8, segments: 0 });
  });

  test('after any history: matches are exact, memory is accounted for, and clearing frees all', () => {
    const step = fc.record({
      action: fc.constantFrom('open', 'open', 'commit', 'commit', 'release', 'discard'),
      shape: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 6 }),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        fc.integer({ min: 4, max: 40 }),
        (steps, slabs) => {
          const cache = new testing.KvCache(slabs);
          const open: { leaf: number; tokens: Int32Array; done: number }[] = [];
          const stored: Int32Array[] = [];
          for (const { action, shape, pick } of steps) {
            const at = open.length === 0 ? 0 : pick % open.length;
            const current = open[at];
            if (action === 'open') {
              // Contexts are made of pieces of 17 equal tokens, so they share prefixes that cut blocks anywhere.
              const tokens = join(...shape.map((value) => new Int32Array(17).fill(value)));
              const matched = cache.match('', tokens);
              const expected = Math.max(
                0,
                ...stored.map((other) => common(other, tokens)),
                ...open.map((o) => common(o.tokens.slice(0, o.done), tokens)),
              );
              expect(matched).toBeLessThanOrEqual(expected);
              const { leaf, cached } = cache.open('', tokens);
              expect(cached).toBeLessThanOrEqual(matched);
              expect(cached).toBeGreaterThan(matched - 32);
              open.push({ leaf, tokens, done: cached });
            } else if (current && action === 'commit') {
              const rest = current.tokens.slice(current.done, current.done + 1 + (pick % 40));
              if (cache.reserve(current.leaf, rest.length)) {
                cache.commit(current.leaf, rest);
                current.done += rest.length;
              }
            } else if (current) {
              if (action === 'release') cache.release(current.leaf);
              else cache.discard(current.leaf);
              stored.push(current.tokens.slice(0, current.done));
              open.splice(at, 1);
            }
          }
          for (const { leaf } of open) cache.release(leaf);
          cache.clear();
          expect(cache.counts()).toMatchObject({ free: slabs, available: slabs, segments: 0 });
        },
      ),
      { numRuns: 150 },
    );
  });
});

function common(a: Int32Array, b: Int32Array): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
}
