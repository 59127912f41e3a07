/** The grid of prefixes and sequences: steps of three kinds in turn, and the whole job. */
import { measureAll } from '../harness/scenario.js';
import type { Cell } from './cells.js';
import { JobsScenario } from './jobs.js';
import { StepsScenario } from './steps.js';

export interface Grid {
  prefixes: readonly number[];
  sequences: readonly number[];
}

export async function measureGrid(
  model: string,
  context: number,
  { prefixes, sequences }: Grid,
  pairs: number,
): Promise<Cell[]> {
  const cells: Cell[] = prefixes.flatMap((prefix) =>
    sequences.map((count) => ({ prefix, sequences: count })),
  );
  await measureAll([
    new StepsScenario(model, context, cells, pairs),
    new JobsScenario(model, context, cells),
  ]);
  return cells;
}
