/** What native code reads of a GGUF file, as JavaScript values. */
/** Lists of numbers and of truth values come as Float64Array, long ones as their beginning where that was asked for. */
export type GgufValue = number | boolean | string | string[] | Float64Array | GgufExcerpt;

/** The beginning of a list that is longer than what was asked for. */
export interface GgufExcerpt {
  /** Of its elements: "string", "f32", "i32", ... */
  type: string;
  length: number;
  first: string[] | Float64Array;
}

/** What of a GGUF file becomes JavaScript values. */
export interface GgufOptions {
  /** Metadata whose keys begin with one of these; default: all. What says how the file is read comes in any case. */
  keys?: readonly string[];
  /** Longer lists come as `GgufExcerpt`; default: none do. */
  longestList?: number;
  /** Only this file, also if it is the first part of a split model. */
  alone?: boolean;
}

/** A tensor in a file; its shape begins with the fastest-running dimension. */
export interface TensorInfo {
  name: string;
  type: string;
  shape: number[];
  bytes: number;
}

export interface GgufInfo {
  version: number;
  /** Bytes of the header: where the tensors begin. */
  dataOffset: number;
  metadata: Record<string, GgufValue>;
  tensors: TensorInfo[];
}
