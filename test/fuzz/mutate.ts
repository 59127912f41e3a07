/** Structured fuzzing of what JSON and metadata can hold: one place of a value is replaced by something else. */
import { types } from 'node:util';

import type { Random } from '../random.js';

export type Tree = unknown;

const JUNK: ((random: Random) => Tree)[] = [
  () => null,
  () => true,
  () => -1,
  () => NaN,
  () => 2 ** 53,
  () => 1e308,
  () => 0.5,
  () => '',
  () => '\u0000',
  () => '\ud800',
  () => '__proto__',
  () => 'constructor',
  () => 'x'.repeat(5000),
  () => [],
  () => ({}),
  () => [[[[[[]]]]]],
  (random) => String.fromCharCode(random.below(65536)).repeat(1 + random.below(3)),
  (random) => random.below(1000),
  (random) => Array.from({ length: random.below(20) }, () => random.below(500)),
];

const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)]!;

/** A copy with up to `n` places changed; what `tree` shares with the copy is not touched. */
export function mutate(tree: Tree, random: Random, n = 3): Tree {
  let result = tree;
  for (let i = random.below(n); i >= 0; i--) result = mutateOnce(result, random);
  return result;
}

function mutateOnce(tree: Tree, random: Random): Tree {
  const isParent = typeof tree === 'object' && tree !== null;
  if (!isParent || random.below(12) === 0) return pick(random, JUNK)(random);
  if (types.isFloat64Array(tree)) {
    if (random.below(4) === 0) return tree.slice(0, random.below(tree.length + 1));
    const copy = tree.slice();
    copy[random.below(copy.length)] = pick(random, [NaN, -1, 1e9, 0.5, 3]);
    return copy;
  }
  if (Array.isArray(tree)) {
    if (tree.length === 0) return [pick(random, JUNK)(random)];
    const at = random.below(tree.length);
    const copy = tree.slice() as Tree[];
    const what = random.below(6);
    if (what === 0) copy.splice(at, 1);
    else if (what === 1) copy.push(copy[at]);
    else copy[at] = mutateOnce(copy[at], random);
    return copy;
  }
  const entries = Object.entries(tree as Record<string, Tree>);
  if (entries.length === 0)
    return { [pick(random, ['a', '__proto__', ''])]: pick(random, JUNK)(random) };
  const at = random.below(entries.length);
  const [key, value] = entries[at]!;
  if (random.below(8) === 0) entries.splice(at, 1);
  else entries[at] = [key, mutateOnce(value, random)];
  return Object.fromEntries(entries);
}

/** Seconds that each fuzz test takes in `npm run fuzz`; with the other tests each does a fixed number of executions. */
const seconds = Number(process.env['CACHALOT_FUZZ_SECONDS'] ?? 0);
const EXECUTIONS = 150;

/** What jest must allow a fuzz test. */
export const FUZZ_TIMEOUT_MS = 1000 * seconds + 120_000;

/** Calls `body` again and again with numbers that it can draw from; a failure names the seed. */
export async function fuzz(
  name: string,
  make: (seed: number) => Random,
  body: (random: Random) => Promise<void> | void,
): Promise<void> {
  const given = process.env['CACHALOT_FUZZ_SEED']; // to see again what a seed has shown
  const first = Number(given ?? (seconds === 0 ? 1 : Date.now() % 1e9));
  const end = performance.now() + 1000 * seconds;
  let executions = 0;
  const goesOn = () => (seconds === 0 ? executions < EXECUTIONS : performance.now() < end);
  for (let seed = first; goesOn(); seed++, executions++) {
    try {
      await body(make(seed));
    } catch (error) {
      throw new Error(`${name}, seed ${seed}: ${(error as Error).stack}`, { cause: error });
    }
  }
  if (seconds > 0) process.stdout.write(`${name}: ${executions} executions in ${seconds} s\n`);
}
