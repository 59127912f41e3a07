/** The 0/1 knapsack: which items have the largest value in all, within a weight. */

export interface Item {
  /** A whole number, at least 0. */
  weight: number;
  value: number;
}

/** Larger capacities are counted in larger units, and weights rounded up to them: the table stays small. */
const MOST_UNITS = 2000;

/** Indices of the chosen items, ascending. */
export function pack(items: readonly Item[], capacity: number): number[] {
  const unit = Math.max(1, Math.ceil(capacity / MOST_UNITS));
  const units = Math.floor(capacity / unit);
  const weights = items.map(({ weight }) => Math.ceil(weight / unit));
  const taken = items.map(() => new Uint8Array(units + 1));
  const best = new Float64Array(units + 1);
  for (const [i, weight] of weights.entries())
    for (let room = units; room >= weight; room--) {
      const value = best[room - weight]! + items[i]!.value;
      if (value <= best[room]!) continue;
      best[room] = value;
      taken[i]![room] = 1;
    }
  const chosen: number[] = [];
  for (let i = items.length - 1, room = units; i >= 0; i--)
    if (taken[i]![room] === 1) {
      chosen.unshift(i);
      room -= weights[i]!;
    }
  return chosen;
}
