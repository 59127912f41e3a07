/** What is measured, one after the other: each scenario is opened, checked, warmed up, measured and closed. */
import { summarize } from '#lib/bench/statistics.js';
import type { Summary } from '#lib/bench/statistics.js';

export interface Scenario<Row> {
  /** Said when it begins. */
  name: string;
  /** Loads what it measures. */
  open?(): Promise<void>;
  /** Throws if what will be timed gives wrong results. */
  check?(): Promise<void>;
  /** Until memory is there and threads are awake; not measured. */
  warmUp?(): Promise<void>;
  measure(): Promise<Row>;
  /** Whatever happened before. */
  close?(): Promise<void>;
}

export async function measureAll<Row>(scenarios: Iterable<Scenario<Row>>): Promise<Row[]> {
  const rows: Row[] = [];
  for (const scenario of scenarios) rows.push(await run(scenario));
  return rows;
}

async function run<Row>(scenario: Scenario<Row>): Promise<Row> {
  console.error(scenario.name);
  try {
    await scenario.open?.();
    await scenario.check?.();
    await scenario.warmUp?.();
    return await scenario.measure();
  } finally {
    await scenario.close?.();
  }
}

/** The same measurement several times. */
export async function repeat(runs: number, measure: () => Promise<number>): Promise<Summary> {
  const values: number[] = [];
  for (let run = 0; run < runs; run++) values.push(await measure());
  return summarize(values);
}

/** Answers that must not differ by a bit, whatever was changed between them. */
export function mustEqual(what: string, a: unknown, b: unknown): void {
  if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(`${what}: the results differ`);
}
