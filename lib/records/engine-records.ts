/** How an engine is loaded, what it says of itself, and what it counts. */
/** A GPU that can be used. */
export interface CudaDevice {
  name: string;
  /** "9.0" */
  computeCapability: string;
  totalBytes: number;
}

export interface NativeEngineOptions {
  device: string;
  /** The CUDA library; '' for the one beside the addon. Tests bring an emulated one. */
  cudaLibrary: string;
  instructions: string;
  threads: number;
  contextLength: number;
  stepTokens: number;
  kvBytes: number;
  kvFormat: string;
  maxStepMs: number;
  sharedReads: 'auto' | 'always' | 'never';
  /** Where measured costs are kept, and what tells this machine from others that use the folder. */
  costsFolder: string;
  /** Weights that an earlier load has laid out; '' for none. */
  layoutPath: string;
  machine: string;
  prefixCache: boolean;
  checkInvariants: boolean;
}

/** Counters since the engine was loaded, and what it holds now. */
export interface EngineStats {
  /** Forward passes. */
  steps: number;
  /** Rows (tokens) computed in them. */
  rows: number;
  /** Of finished requests: tokens of prompts, those found in the cache, and tokens generated. */
  promptTokens: number;
  cachedTokens: number;
  generatedTokens: number;
  waiting: number;
  running: number;
  /** Nodes of the prefix tree. */
  segments: number;
  kvBytesInUse: number;
  kvBytes: number;
  /** Bytes of repacked weights in memory; those mapped from a file are not counted. */
  weightBytes: number;
  /** Bytes of keys and values that steps did not read because sequences read what they share together. */
  kvBytesNotRead: number;
  /** Time that scheduling and planning took, of all steps. */
  hostMs: number;
}

/** A range of context that several sequences of a step have in common. */
export interface SharedGroup {
  /** How many ranges stand before it. */
  depth: number;
  sequences: number;
  /** Their rows (tokens) in the step. */
  rows: number;
  firstToken: number;
  tokens: number;
  /** Whether its keys and values were read once for all of them. */
  grouped: boolean;
  /** What was expected, per layer: together and apart, from costs measured on this machine. 0 where a choice was given. */
  groupedUs: number;
  separateUs: number;
  bytesNotRead: number;
}

/** One step in which something was shared. */
export interface StepExplanation {
  step: number;
  sequences: number;
  /** Rows of sequences that only wait for their next token. */
  decoding: number;
  rows: number;
  /** Time for scheduling and planning. */
  hostUs: number;
  stepMs: number;
  groups: SharedGroup[];
}

export interface EngineDevice {
  kind: 'cpu' | 'cuda';
  /** Of the processor or the GPU, as its maker calls it. */
  name: string;
  /** The instructions that are used: "avx512", "avxvnni", "avx2" or "portable"; of a GPU its architecture, "sm_90". */
  instructions: string;
  /** Threads that compute; of a GPU its multiprocessors. */
  threads: number;
  /** Why it is not another device, where "auto" would rather have had one. */
  note?: string;
}

/** What is running, where and how. */
export interface EngineDescription {
  device: EngineDevice;
  /** Where weights are: floats are read in place in the model's file, or in memory if they are few; quantized ones are packed
   *  into memory, or mapped as an earlier load packed them; or all are in a GPU's memory. */
  weights: 'in place' | 'in memory' | 'packed' | 'mapped' | 'on the device';
  kvFormat: string;
  kvBytesPerToken: number;
  /** The longest context, in tokens. */
  contextLength: number;
  /** How many logits a row has. */
  vocabulary: number;
  architecture: string;
  layers: number;
  /** Path of the file or folder. */
  model: string;
}
