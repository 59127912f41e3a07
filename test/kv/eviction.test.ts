import { testing } from '../testing.js';

const range = (n: number, from = 0) => Int32Array.from({ length: n }, (_, i) => from + i);

type Tree = InstanceType<typeof testing.KvCache>;

function store(tree: Tree, key: string, tokens: Int32Array): void {
  const { leaf, cached } = tree.open(key, tokens);
  const rest = tokens.slice(cached);
  expect(tree.reserve(leaf, rest.length)).toBe(true);
  tree.commit(leaf, rest);
  tree.release(leaf);
}

/** A use of what is stored: found, and nothing added. */
function hit(tree: Tree, key: string, tokens: Int32Array): void {
  tree.release(tree.open(key, tokens).leaf);
}

const stored = (tree: Tree, from: number) => tree.match('', range(64, from));

// A pool of six blocks, and texts of two.
describe('what goes first when the pool is full', () => {
  let tree: Tree;
  beforeEach(() => (tree = new testing.KvCache(6)));

  test('of equals, what was used longest ago', () => {
    for (const from of [1000, 2000, 3000]) store(tree, '', range(64, from));
    store(tree, '', range(64, 4000));
    expect([1000, 2000, 3000].map((from) => stored(tree, from))).toEqual([0, 64, 64]);
  });

  test('what has been used again outlives what has not', () => {
    for (const from of [1000, 2000, 3000]) store(tree, '', range(64, from));
    hit(tree, '', range(64, 1000));
    store(tree, '', range(64, 4000));
    store(tree, '', range(64, 5000));
    expect([1000, 2000, 3000].map((from) => stored(tree, from))).toEqual([64, 0, 0]);
  });

  test('but not for ever: what comes later is worth as much in the end', () => {
    store(tree, '', range(64, 1000));
    hit(tree, '', range(64, 1000));
    for (let from = 2000; from < 20_000; from += 1000) store(tree, '', range(64, from));
    expect(stored(tree, 1000)).toBe(0);
  });

  test('the lower priority, however much it is used', () => {
    for (const from of [1000, 2000, 3000]) store(tree, '', range(64, from));
    tree.setRetention('', range(64, 1000), 90, 0);
    tree.setRetention('', range(64, 3000), 10, 0);
    for (let i = 0; i < 5; i++) hit(tree, '', range(64, 3000));
    store(tree, '', range(64, 4000));
    expect([1000, 2000, 3000].map((from) => stored(tree, from))).toEqual([64, 64, 0]);
    for (let from = 5000; from < 20_000; from += 1000) store(tree, '', range(64, from));
    expect(stored(tree, 1000)).toBe(64);
  });

  test('a parent of low priority stays with its child of high priority', () => {
    store(tree, '', range(32, 1000));
    tree.setRetention('', range(32, 1000), 0, 0);
    const child = Int32Array.from([...range(32, 1000), ...range(32, 7000)]);
    store(tree, '', child);
    tree.setRetention('', child, 90, 0);
    for (let from = 2000; from < 9000; from += 1000) store(tree, '', range(64, from));
    expect(tree.match('', child)).toBe(64);
  });

  test('what has outlived its time, however much it was used, unless it is used again', () => {
    for (const from of [1000, 2000, 3000]) store(tree, '', range(64, from));
    tree.setRetention('', range(64, 2000), 35, 100);
    tree.setRetention('', range(64, 3000), 35, 100);
    for (let i = 0; i < 5; i++) hit(tree, '', range(64, 2000));
    tree.setTime(90);
    hit(tree, '', range(64, 3000));
    tree.setTime(110); // over for the second, not for the third
    store(tree, '', range(64, 4000));
    expect([1000, 2000, 3000].map((from) => stored(tree, from))).toEqual([64, 0, 64]);
  });

  test('several who keep one text: the highest priority and the longest time count', () => {
    const longer = Int32Array.from([...range(64, 1000), ...range(32, 9000)]);
    store(tree, '', longer);
    tree.setRetention('', range(64, 1000), 90, 0);
    tree.setRetention('', longer, 10, 50);
    tree.setTime(1000);
    for (let from = 2000; from < 9000; from += 1000) store(tree, '', range(64, from));
    expect(tree.match('', longer)).toBe(64);
  });

  test('a batch that is done does not take what others keep, nor what only begins like it', () => {
    store(tree, '', range(64, 1000));
    tree.setRetention('', range(64, 1000), 90, 0);
    tree.demote('', range(64, 1000), 0);
    store(tree, '', range(64, 2000));
    tree.demote('', Int32Array.from([...range(5, 2000), 7, 7]), 0);
    store(tree, '', range(64, 3000));
    hit(tree, '', range(64, 2000));
    store(tree, '', range(64, 4000));
    expect([1000, 2000, 3000].map((from) => stored(tree, from))).toEqual([64, 64, 0]);
  });

  test('what nobody will want, beyond what others share', () => {
    const shared = range(32, 1000);
    const texts = [7000, 8000].map((from) => Int32Array.from([...shared, ...range(32, from)]));
    for (const text of texts) store(tree, '', text);
    store(tree, '', range(64, 2000));
    hit(tree, '', texts[1]!);
    tree.demote('', texts[1]!, 32); // though it was used last, and twice
    store(tree, '', range(64, 3000)); // one block is free, one must go
    expect(tree.match('', texts[1]!)).toBe(32);
    expect(tree.match('', texts[0]!)).toBe(64);
    expect(stored(tree, 2000)).toBe(64);
  });

  test('giving up in the middle of a segment leaves its beginning', () => {
    store(tree, '', range(128, 1000));
    store(tree, '', range(64, 2000));
    tree.demote('', range(128, 1000), 70);
    store(tree, '', range(64, 3000));
    expect(tree.match('', range(128, 1000))).toBe(64);
    expect(stored(tree, 2000)).toBe(64);
  });

  test('never what is pinned or in use, whatever else is said of it', () => {
    store(tree, '', range(64, 1000));
    tree.pin('', range(64, 1000));
    tree.setRetention('', range(64, 1000), 0, 1);
    tree.demote('', range(64, 1000), 0);
    tree.setTime(10_000);
    const { leaf } = tree.open('', range(64, 2000));
    expect(tree.reserve(leaf, 64)).toBe(true);
    tree.commit(leaf, range(64, 2000));
    tree.demote('', range(64, 2000), 0);
    const { leaf: third } = tree.open('', range(96, 3000));
    expect(tree.reserve(third, 96)).toBe(false);
    expect(tree.reserve(third, 64)).toBe(true);
    expect([stored(tree, 1000), stored(tree, 2000)]).toEqual([64, 64]);
    tree.release(third);
    tree.release(leaf);
    tree.pin();
    for (let from = 4000; from < 7000; from += 1000) store(tree, '', range(64, from));
    expect(stored(tree, 1000)).toBe(0);
  });
});
