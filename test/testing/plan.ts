/** The plan of attention as plain data: native/addon/testing/plan.cpp. */

export interface PlanItem {
  /** Counted over all sequences: the parts of each in order, its open one last. */
  part: number;
  firstTile: number;
  endTile: number;
  rows: { row: number; firstKey: number; endKey: number; partial: number; resumes: number }[];
}

/** A sealed part of a context: keys [first, end) of its blocks. */
export interface PlanPart {
  /** Addresses of its blocks; equal ones are shared. */
  blocks: Int32Array;
  first: number;
  end: number;
  /** Of key 0, for those who read the part here; may be negative. */
  position: number;
  /** `position` minus the one by which key 0 was rotated. */
  shift: number;
}

export interface PlanSequence {
  rows: number;
  /** Of the first row. */
  position: number;
  /** Of the open part, which holds the keys from `origin` to the last row. */
  blocks: Int32Array;
  /** Position of the open part's first key; 0 if none is given. */
  origin?: number;
  /** The parts before it, in order. */
  before?: PlanPart[];
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
  /** Of each row; `spanGroup` counts over all parts that it reads. */
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
