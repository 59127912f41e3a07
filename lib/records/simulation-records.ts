/** The simulated scheduler: native/engine/simulation.h. */

/** Requests as a trace gives them: prompt i is made of the blocks hashes[hashEnds[i - 1]] to hashes[hashEnds[i]]. */
export interface SimulatedTrace {
  lengths: Int32Array;
  outputs: Int32Array;
  hashes: Int32Array;
  hashEnds: Int32Array;
  blockTokens: number;
  /** In milliseconds, ascending. Absent: all are there at once. */
  arrivals?: Int32Array;
}

export interface SimulationOptions {
  /** Only what is there at once can be grouped. */
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
  /** By prompt, in seconds; -1: it failed before its first token. */
  firstToken: Float64Array;
  ended: Float64Array;
  /** Scheduling, per step. */
  hostUs: number;
}
