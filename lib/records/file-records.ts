/** The contents of a GGUF file, as JavaScript values. */
/** Lists of numbers and of booleans come as Float64Array; long lists come as an excerpt if that was asked for. */
export type GgufValue = number | boolean | string | string[] | Float64Array | GgufExcerpt;

/** The beginning of a list that is longer than the limit that was asked for. */
export interface GgufExcerpt {
  /** Type of its elements: "string", "f32", "i32", ... */
  type: string;
  length: number;
  first: string[] | Float64Array;
}

/** Which parts of a GGUF file become JavaScript values. */
export interface GgufOptions {
  /** Metadata whose keys begin with one of these; default: all. Keys that say how the file is read always come. */
  keys?: readonly string[];
  /** Longer lists come as `GgufExcerpt`; default: none does. */
  longestList?: number;
  /** Read only this file, even if it is the first part of a split model. */
  alone?: boolean;
}

/** A tensor in a file. Its shape begins with the fastest-running dimension. */
export interface TensorInfo {
  name: string;
  type: string;
  shape: number[];
  bytes: number;
}

export interface GgufInfo {
  version: number;
  /** Where the entries of the metadata begin and end in the file. */
  metadataOffset: number;
  metadataEnd: number;
  /** Bytes of the header: where the tensors begin. */
  dataOffset: number;
  metadata: Record<string, GgufValue>;
  tensors: TensorInfo[];
}
