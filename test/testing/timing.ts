/** Clocks of ops, for benchmarks. */

/** Contexts of one length, the last `rows` tokens of each being the step's. */
export interface TimedContexts {
  heads: number;
  kvHeads: number;
  headDim: number;
  rows: number;
  context: number;
  sequences: number;
}

export interface EditShape {
  layers: number;
  kvHeads: number;
  headDim: number;
  keys: number;
}

/** What is asked of all keys: the last rows read them, or they are matched in chunks. */
export interface AskedShape extends EditShape {
  signal: 'attention' | 'norm' | 'match';
  heads: number;
  rows: number;
  chunk: number;
  stride: number;
}

/** How long one call of an op takes, in microseconds; native/addon/testing/timing.cpp. */
export interface TimingBinding {
  timeLinear(
    path: string,
    threads: number,
    weight: Uint8Array,
    type: number,
    n: number,
    k: number,
    rows: number,
  ): number;
  timeGatherRows(
    path: string,
    threads: number,
    weight: Uint8Array,
    type: number,
    n: number,
    k: number,
    rows: number,
  ): number;
  timeSelectRows(path: string, threads: number, rows: number, width: number): number;
  timeCheckFinite(path: string, threads: number, rows: number, width: number): number;
  timeAttention(path: string, threads: number, contexts: TimedContexts): number;
  timeKvWrite(path: string, threads: number, contexts: TimedContexts): number;
  /** Copies of 31 tokens. */
  timeKvCopy(
    path: string,
    threads: number,
    shape: { layers: number; kvHeads: number; headDim: number; copies: number },
  ): number;
  /** Every second of twice so many keys of each head. */
  timeKvGather(path: string, threads: number, shape: EditShape): number;
  /** The means of so many pairs of keys of each head. */
  timeKvMerge(path: string, threads: number, shape: EditShape): number;
  /** Of all layers. */
  timeKvSignal(path: string, threads: number, asked: AskedShape): number;
  /** Of one layer. */
  timeKeepQueries(
    path: string,
    threads: number,
    rows: number,
    heads: number,
    headDim: number,
  ): number;
  timeAttentionMerge(
    path: string,
    threads: number,
    shape: { heads: number; headDim: number; rows: number; partials: number },
  ): number;
  timeRmsNorm(path: string, threads: number, rows: number, width: number): number;
  timeSiluMul(path: string, threads: number, rows: number, width: number): number;
  timeSample(
    path: string,
    threads: number,
    rows: number,
    vocabulary: number,
    temperature: number,
    topK: number,
  ): number;
}
