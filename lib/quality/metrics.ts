/** How right an answer is, and how sure a share is. */

/** How many of the wanted words or phrases a text holds, each as whole words, in any case. */
export function found(text: string, wanted: readonly string[]): number {
  const said = words(text);
  return wanted.filter((answer) => said.includes(words(answer))).length;
}

/** Letters and digits with one space between words, and one around all. */
function words(text: string): string {
  return ` ${text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()} `;
}

export interface Interval {
  low: number;
  high: number;
}

/** Of a share of n at 95 % (Wilson 1927): it holds for few trials and for shares near 0 and 1, too. */
export function wilson(right: number, n: number): Interval {
  if (n === 0) return { low: 0, high: 1 };
  const z = 1.959964;
  const share = right / n;
  const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half =
    (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/** What was right of what was asked about one context. */
export interface Cluster {
  right: number;
  of: number;
}

/**
 * Of a share over several contexts. Questions about one context succeed or fail together, so they count for fewer than they are: by the
 * design effect, the variance between contexts over that of independent answers (Kish 1965). At least each context counts for one.
 */
export function clusteredInterval(clusters: readonly Cluster[]): Interval {
  const n = sum(clusters, ({ of }) => of);
  if (n === 0) return { low: 0, high: 1 };
  const share = sum(clusters, ({ right }) => right) / n;
  const count = clusters.length;
  const independent = (share * (1 - share)) / n;
  const between = sum(clusters, ({ right, of }) => (right - share * of) ** 2) / n ** 2;
  const variance = (count / Math.max(1, count - 1)) * between;
  const isKnown = independent > 0 && count > 1;
  const effective = isKnown ? n / Math.max(1, variance / independent) : count;
  const trials = Math.max(effective, Math.min(count, n));
  return wilson(share * trials, trials);
}

/** Right answers about one context, and those of what it is compared with. */
export interface Pair extends Cluster {
  other: number;
}

/**
 * The difference of two shares on the same questions, in points, and half of its 95 % interval (Student's t over contexts). Where no context
 * differs, no more can be said than that a difference is rare: the margin is then the largest share of contexts that could differ.
 */
export function pairedDifference(pairs: readonly Pair[]): { points: number; margin: number } {
  const n = sum(pairs, ({ of }) => of);
  const count = pairs.length;
  if (n === 0) return { points: 0, margin: 100 };
  const mean = sum(pairs, ({ right, other }) => right - other) / n;
  const between = sum(pairs, ({ right, other, of }) => (right - other - mean * of) ** 2);
  if (between === 0) return { points: 100 * mean, margin: 100 * (1 - 0.05 ** (1 / count)) };
  const error = Math.sqrt((count / Math.max(1, count - 1)) * between) / n;
  return { points: 100 * mean, margin: Math.min(200, 100 * student(count - 1) * error) };
}

/** The 97.5 % quantile of Student's t, by Cornish and Fisher's expansion; exact to a percent from 3 degrees on. */
function student(degrees: number): number {
  if (degrees < 1) return Infinity;
  const z = 1.959964;
  const first = (z ** 3 + z) / (4 * degrees);
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2);
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3);
  return z + first + second + third;
}

export function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
