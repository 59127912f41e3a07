/**
 * Which keys policies keep, in float64, from the papers and what native/kv/policies/*.h say: for each head the groups of keys that become one,
 * the one that stays first.
 */
import type { EditedHead, KeptKey } from './forward.js';
import { attentionSums, likeCentres, norm, seldomCounts } from './kv-signal.js';
import type { MatchShape, SignalRow } from './kv-signal.js';

/** Of a context that has had so many tokens. */
export type ReferencePolicy = (heads: readonly EditedHead[], tokens: number) => number[][][];

export interface ReferenceBudget {
  /** A share of all tokens, or a number of keys. */
  share?: number;
  keys?: number;
  split?: 'uniform' | 'pyramid' | 'mass' | 'heads';
  /** Keys that always stay. */
  first: number;
  last: number;
}

/** PyramidKV's: the highest layer's keys are the mean over it. */
const BETA = 20;

const indices = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** Of a head, on average. */
export const keysOf = ({ share, keys }: ReferenceBudget, tokens: number): number =>
  keys ?? Math.round(share! * tokens);

/** Numbers of the keys that are not protected, the best first; of equals the earlier. */
function ranked(worth: readonly number[], { first, last }: ReferenceBudget): number[] {
  const free = indices(Math.max(0, worth.length - first - last), first);
  return free.sort((a, b) => worth[b]! - worth[a]! || a - b);
}

/** PyramidKV's line from the lowest layer to the highest, of the keys that are not protected. What is between two numbers counts as the smaller. */
function lineOf(mean: number, most: number, layers: number): number[] {
  let least = Math.floor(mean / BETA);
  let largest = 2 * mean - least;
  if (largest > most) [least, largest] = [2 * mean - most, most];
  return indices(layers).map((layer) =>
    layers === 1 ? mean : Math.floor(largest - ((largest - least) * layer) / (layers - 1)),
  );
}

/**
 * PrefixKV's: a head keeps as many keys as hold a share of its worth, which is the same for all heads and as large as the budget lets it be. So of all
 * keys those count before which the smallest shares lie. No head keeps fewer than are protected.
 */
function byMass(worths: readonly (readonly number[])[], guarded: number, all: number): number[] {
  const shares = worths.flatMap((worth, head) => {
    const total = sum(worth);
    let before = 0;
    const sorted = [...worth].sort((a, b) => b - a);
    return sorted.map((value) => {
      before += value;
      return { head, share: (before - value) / total };
    });
  });
  const counts = worths.map(() => 0);
  const kept = () => counts.map((count) => Math.max(guarded, count));
  let fits = kept();
  for (const { head } of shares.sort((a, b) => a.share - b.share)) {
    counts[head]!++;
    if (sum(kept()) > all) break;
    fits = kept();
  }
  return fits.map((count) => count - guarded);
}

/** Ada-KV's: a layer's best keys are counted for each head; a fifth is the same for all. */
function inLayers(
  heads: readonly EditedHead[],
  { first, last }: ReferenceBudget,
  mean: number,
  worths: readonly (readonly number[])[],
): number[] {
  return heads.map(({ layer }, head) => {
    const others = indices(heads.length).filter((i) => heads[i]!.layer === layer);
    const all = others.flatMap((i) =>
      worths[i]!.slice(first, worths[i]!.length - last).map((worth) => ({ worth, head: i })),
    );
    const best = all.sort((a, b) => b.worth - a.worth).slice(0, mean * others.length);
    return Math.floor(0.8 * best.filter((key) => key.head === head).length + 0.2 * mean);
  });
}

/** How many keys each head takes of those that are not protected. */
function divide(
  heads: readonly EditedHead[],
  budget: ReferenceBudget,
  tokens: number,
  worths: readonly (readonly number[])[],
): number[] {
  const guarded = budget.first + budget.last;
  const mean = keysOf(budget, tokens) - guarded;
  if (budget.split === 'mass') return byMass(worths, guarded, (mean + guarded) * heads.length);
  if (budget.split === 'heads') return inLayers(heads, budget, mean, worths);
  if (budget.split !== 'pyramid') return heads.map(() => mean);
  const line = lineOf(mean, tokens - guarded, heads.at(-1)!.layer + 1);
  return heads.map(({ layer }) => line[layer]!);
}

/** The worthiest that the budget has room for, and the protected ones. */
export function best(
  budget: ReferenceBudget,
  worthOf: (head: EditedHead, number: number) => number[],
): ReferencePolicy {
  return (heads, tokens) => {
    const worths = heads.map(worthOf);
    const each = divide(heads, budget, tokens, worths);
    return worths.map((worth, head) => {
      const goes = new Set(ranked(worth, budget).slice(each[head]));
      return indices(worth.length)
        .filter((i) => !goes.has(i))
        .map((i) => [i]);
    });
  };
}

/** StreamingLLM. */
export const recent = (budget: ReferenceBudget): ReferencePolicy =>
  best(budget, ({ keys }) => indices(keys.length));

/** Devoto et al.: what has a short key is read much. */
export const keyNorm = (budget: ReferenceBudget): ReferencePolicy =>
  best(budget, ({ keys }) => keys.map(({ key }) => -norm(key)));

/** Of every so many rows of the text, counted from its first, the last n. */
function sampled({ rows }: EditedHead, n: number, stride: number): readonly SignalRow[] {
  return rows.filter((_, i) => i % stride === 0).slice(-n);
}

const signalKeys = ({ keys }: EditedHead) =>
  keys.map(({ key, position, weight }) => ({ key, index: position, log2: weight }));

/** How much the last rows read each key: the mean of the query heads. */
export const observed = (head: EditedHead, n: number, stride = 1): Float64Array =>
  attentionSums(signalKeys(head), sampled(head, n, stride), head.window);

/** The mean of so many neighbours, with zeros beyond both ends. */
function pooledBy(scores: readonly number[], n: number): number[] {
  const reach = (n - 1) / 2;
  return scores.map((_, i) => sum(scores.slice(Math.max(0, i - reach), i + reach + 1)) / n);
}

/** SnapKV. */
export const snap = (budget: ReferenceBudget, rows: number, pooled: number): ReferencePolicy =>
  best(budget, (head) => pooledBy([...observed(head, rows)], pooled));

/** CompressKV: heads of a layer that may say so decide for all of its heads whose keys are of the same tokens; all of them, where none may. */
export const compressKv =
  (
    budget: ReferenceBudget,
    rows: number,
    pooled: number,
    says: readonly boolean[],
  ): ReferencePolicy =>
  (heads, tokens) => {
    const alike = (a: EditedHead, b: EditedHead) =>
      a.layer === b.layer &&
      a.keys.length === b.keys.length &&
      a.keys.every(({ position }, i) => position === b.keys[i]!.position);
    return best(budget, (head) => {
      const all = heads.filter((other) => alike(head, other));
      const deciding = all.filter((other) => says[heads.indexOf(other)]);
      const each = (deciding.length > 0 ? deciding : all).map((other) => observed(other, rows));
      return pooledBy(
        head.keys.map((_, i) => sum(each.map((scores) => scores[i]!))),
        pooled,
      );
    })(heads, tokens);
  };

const STRIDE = 4;

/** H2O: what was added up before an edit goes on with the keys that it has left. */
export function h2o(budget: ReferenceBudget, rows: number): ReferencePolicy {
  return (heads, tokens) => {
    const last = Math.max(budget.last, Math.floor(keysOf(budget, tokens) / 2));
    const first = Math.min(budget.first, keysOf(budget, tokens) - last);
    return best({ ...budget, first, last }, (head) => {
      const now = observed(head, rows, STRIDE);
      return head.keys.map((key, i) => {
        const score = (key.score ?? 0) + now[i]!;
        key.score = score;
        return score;
      });
    })(heads, tokens);
  };
}

/** Scissorhands. */
export const scissorhands = (budget: ReferenceBudget, rows: number): ReferencePolicy =>
  best(budget, (head) =>
    seldomCounts(signalKeys(head), sampled(head, rows, STRIDE), head.window).map((n) => -n),
  );

/** Chelsea: others go to the likest centre of their chunk, the strongest links first, until the budget is met. So many others are needed for that. */
export const chelsea =
  (budget: ReferenceBudget, chunk: number): ReferencePolicy =>
  (heads, tokens) =>
    heads.map(({ keys }) => {
      const { first, last } = budget;
      const goes = Math.max(0, keys.length - keysOf(budget, tokens));
      const linksOf = (stride: number) =>
        linksTo(keys, { first, last, chunk: Math.max(chunk, stride), stride });
      let stride = 2;
      while (stride < keys.length && linksOf(stride).length < goes) stride++;
      return grouped(keys, linksOf(stride).slice(0, goes));
    });

/** The strongest first. */
function linksTo(keys: readonly KeptKey[], shape: MatchShape) {
  const links = likeCentres(
    keys.map(({ key }) => key),
    shape,
  ).flatMap((like, from) => {
    const [likest] = [...like].sort(([a, x], [b, y]) => y - x || a - b);
    return likest === undefined ? [] : [{ from, into: likest[0], cosine: likest[1] }];
  });
  return links.sort((a, b) => b.cosine - a.cosine || a.from - b.from);
}

function grouped(
  keys: readonly KeptKey[],
  links: readonly { from: number; into: number }[],
): number[][] {
  const gone = new Set(links.map(({ from }) => from));
  return indices(keys.length)
    .filter((i) => !gone.has(i))
    .map((i) => [i, ...links.filter(({ into }) => into === i).map(({ from }) => from)]);
}

/** RazorAttention: of heads that are not whole, one key stands for all between the first and the last. */
export const razor =
  (first: number, leastLast: number, divisor: number, whole: readonly boolean[]): ReferencePolicy =>
  (heads, tokens) =>
    heads.map(({ keys }, head) => {
      const all = indices(keys.length);
      const last = Math.max(leastLast, Math.floor(tokens / divisor));
      const end = keys.length - last;
      if (whole[head]! || end <= first) return all.map((i) => [i]);
      const between = all.slice(first, end);
      return [...all.slice(0, first).map((i) => [i]), between, ...all.slice(end).map((i) => [i])];
    });
