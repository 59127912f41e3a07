/** The plan of attention as plain data: native/addon/testing/plan.cpp. */

export interface PlanItem {
  part: number;
  firstTile: number;
  endTile: number;
  rows: { row: number; firstKey: number; endKey: number; partial: number; resumes: number }[];
}

export interface PlanSequence {
  rows: number;
  position: number;
  /** Addresses of the context's blocks; equal ones are shared. */
  blocks: Int32Array;
}

export interface PlanOptions {
  headsPerKvHead: number;
  kvHeads: number;
  parallelism: number;
  window: number;
  grouped: boolean;
  /** Microseconds of a tile for 1, 2, 3, 4, 6, 8, 12, 16, 24, 32 and 64 queries, and of a partial. */
  costs?: { tile: Float32Array; partial: number };
}

export interface Plan {
  items: PlanItem[];
  merges: { partial: number; spanGroup: number }[][];
  ranges: {
    firstTile: number;
    endTile: number;
    readers: number;
    depth: number;
    grouped: boolean;
  }[];
  pieces: { item: number; head: number; heads: number; phase: number }[];
}

export interface PlanBinding {
  plan(sequences: PlanSequence[], options: PlanOptions): Plan;
}
