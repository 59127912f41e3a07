/** A mode and an amount of memory, in a simulation of scheduler and prefix tree with a cost model in place of a model. */
import { native } from '#lib/native.js';
import type { CostModel, Simulated, SimulatedTrace, SimulationOptions } from '#lib/native.js';
import type { Scenario } from '../harness/scenario.js';
import { scheduleOf } from './modes.js';
import type { Mode } from './modes.js';

/** The shape of Llama 3.1 8B in BF16 on an accelerator of 3 TB/s and 400 T op/s. */
export const COSTS: CostModel = {
  weightBytes: 16e9,
  kvBytesPerToken: 131_072,
  operationsPerRow: 16e9,
  operationsPerKey: 4 * 32 * 128 * 32,
  bytesPerSecond: 3e12,
  operationsPerSecond: 400e12,
};
export const STEP_ROWS = 2048;

export interface SimulatedRow {
  mode: Mode;
  kvTokens: number;
  simulated: Simulated;
}

export function simulatedScenario(
  trace: SimulatedTrace,
  mode: Mode,
  kvTokens: number,
): Scenario<SimulatedRow> {
  const reuse = mode !== 'no cache';
  const schedule = scheduleOf(mode);
  const options: SimulationOptions = { schedule, kvTokens, stepRows: STEP_ROWS, reuse };
  return {
    name: `simulating ${mode}, keys and values of ${kvTokens} tokens`,
    measure: async () => ({
      mode,
      kvTokens,
      simulated: await native().simulate(trace, options, COSTS),
    }),
  };
}
