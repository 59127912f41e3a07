/** The scheduler without a model: native/addon/testing/simulation.cpp. */

/** A batch as a trace gives it: prompt i is made of the blocks hashes[hashEnds[i - 1]] to hashes[hashEnds[i]]. */
export interface SimulatedTrace {
  lengths: Int32Array;
  outputs: Int32Array;
  hashes: Int32Array;
  hashEnds: Int32Array;
  blockTokens: number;
}

export interface SimulationOptions {
  schedule: 'prefix-grouped' | 'fcfs';
  kvTokens: number;
  stepRows: number;
  reuse: boolean;
}

/** A step takes as long as its arithmetic or its reading, whichever is longer. */
export interface CostModel {
  weightBytes: number;
  kvBytesPerToken: number;
  operationsPerRow: number;
  operationsPerKey: number;
  bytesPerSecond: number;
  operationsPerSecond: number;
}

export interface Simulated {
  seconds: number;
  /** Rows of prompts, those computed again included. */
  promptRows: number;
  rows: number;
  steps: number;
  /** Of all prompts' prefix tree: what must be computed at least. */
  distinctTokens: number;
  /** Most tokens whose keys and values were in use at once. */
  peakTokens: number;
  failed: number;
  /** Which prompts have ended, the first one first. */
  ends: number[];
  /** Scheduling, per step. */
  hostUs: number;
}

export interface SimulationBinding {
  simulate(trace: SimulatedTrace, options: SimulationOptions, costs: CostModel): Simulated;
}
