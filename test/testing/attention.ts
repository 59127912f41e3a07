/** Attention, its merge, and the blocks of keys and values that it reads: native/addon/testing/attention.cpp and kv_blocks.cpp. */

export interface AttentionCase {
  heads: number;
  kvHeads: number;
  headDim: number;
  format: 'f32' | 'bf16';
  /** How many work items the plan aims at; must not change a bit. */
  parallelism: number;
  /** A row reads the last so many keys, its own included; 0: all. */
  window: number;
  /** Whether contexts that share blocks are read together; must not change a bit. */
  grouped: boolean;
  interleaved: boolean;
  cosines: Float32Array;
  sines: Float32Array;
}

/** A sealed part: tokens of an earlier context, or of this one, that stand elsewhere for its readers. */
export interface AttentionPart {
  context: number;
  /** Tokens [first, end) of that context's own. */
  first: number;
  end: number;
  /** Added to the position of each; negative ones move it back. */
  shift: number;
  /** It is part [context, part] of an earlier context, and all else that is said of it here is not read. */
  sameAs?: number[] | undefined;
  /** The keys that each KV head keeps, in ascending order; all of them if it is not given. */
  edit?: EditedKey[][];
  /** Scores are divided by it. */
  temperature?: number;
  /** Queries are rotated as if no row stood after it. */
  lastPosition?: number;
  /** Neighbours with one number >= 0 fold together, and the logarithm of their sum is multiplied by the first one's factor. */
  blend?: number;
  lseFactor?: number;
}

/** A key of an edited part: the first token's, or the mean of them all. Tokens count from the part's first. */
export interface EditedKey {
  tokens: number[];
  /** log2 of how many tokens it stands for; -Infinity: of none. */
  weight: number;
}

/** k and v are [tokens, kvHeads, headDim], q is [rows, heads, headDim]; the rows are the context's last tokens. */
export interface AttentionContext {
  k: Float32Array;
  v: Float32Array;
  q: Float32Array;
  rows: number;
  /** Of the first token; 0 if none is given. */
  position?: number;
  /** Parts that are read before the context's own tokens, in order. */
  before?: AttentionPart[];
  /** Whole blocks of the first so many tokens are those of an earlier context, which holds the same there. */
  shares?: { context: number; tokens: number };
}

/** A partial result over some keys, in base 2: out is [H, D], max and sum are [H]. */
export interface Partial {
  out: Float32Array;
  max: Float32Array;
  sum: Float32Array;
}

export interface KvShape {
  format: 'f32' | 'bf16';
  layers: number;
  kvHeads: number;
  headDim: number;
  /** For 32 tokens each, of all layers and heads; all NaN at first. */
  blocks: number;
  interleaved: boolean;
  cosines: Float32Array;
  sines: Float32Array;
}

/** What is asked of the keys of all layers and heads: of those in edited blocks, then of those of a text. */
export type KvSignalCase = {
  /** Edited blocks of each (layer, head), and how many keys they hold; both or none. */
  before?: number[][];
  beforeKeys?: number[];
  /** Of the text. */
  blocks: number[];
  /** Of the text's first token. */
  firstIndex: number;
  tokens: number;
} & (KvAttentionCase | { signal: 'norm' } | KvMatchCase);

/** `queries`: [layers, rows, heads, headDim], of every `rowStride` tokens from `firstRow` on, read as they are. */
export interface KvAttentionCase {
  signal: 'attention' | 'seldom';
  rowStride: number;
  queries: Float32Array;
  heads: number;
  rows: number;
  firstRow: number;
  window: number;
}

/** `match`: first, last, chunk and stride of native/backend/signal_records.h. */
export interface KvMatchCase {
  signal: 'match';
  match: number[];
}

export interface NativeKvBlocks {
  /** `targets`: block, slot and position of each, `rows` of which row, in order if absent; k and v are [rows, kvHeads, headDim]. */
  write(
    layer: number,
    targets: Int32Array,
    k: Float32Array,
    v: Float32Array,
    rows?: Int32Array,
  ): void;
  /** From, to, first slot and end slot of each copy. */
  copy(copies: Int32Array): void;
  /** Layer, head, block, slot, whether that is an edited block, edited block, slot and index of each key; log-weights. */
  gather(moves: Int32Array, weights: Float32Array): void;
  /** Edited block, slot, first source and number of sources of each merge; layer, head, block, slot and whether it is an edited one of each source; shares. */
  merge(merges: Int32Array, sources: Int32Array, shares: Float32Array): void;
  /** Attention of one query per head, not rotated, over edited blocks of each head. */
  attendEdited(
    layer: number,
    blocks: number[][],
    keys: number[],
    window: number,
    q: Float32Array,
  ): Float32Array;
  /** Row and place of each kept one; q is [layers, rows, heads, headDim]. What lies in [layers, places] then, NaN at first. */
  keepQueries(
    heads: number,
    places: number,
    positions: Int32Array,
    kept: Int32Array,
    q: Float32Array,
  ): Float32Array;
  /** [layers, kvHeads, planes, keys]: as many keys as any head has, and what is after a head's last one is not said. */
  signal(asked: KvSignalCase): Float32Array;
  /** Attention of queries that are not rotated, those of the last tokens: [rows, kvHeads, headDim]. */
  attend(
    layer: number,
    blocks: Int32Array,
    tokens: number,
    window: number,
    q: Float32Array,
  ): Float32Array;
}

export interface AttentionBinding {
  attention(
    path: string,
    threads: number,
    shape: AttentionCase,
    contexts: AttentionContext[],
  ): Float32Array;
  /** `rows`: the partials of each, in the order in which they fold. */
  attentionMerge(
    path: string,
    threads: number,
    shape: { heads: number; headDim: number },
    partials: Partial[],
    rows: { partial: number; spanGroup: number; blend?: number; lseFactor?: number }[][],
  ): Float32Array;
  KvBlocks: new (path: string, threads: number, shape: KvShape) => NativeKvBlocks;
}
