/** Records of an engine: how it is loaded, its description, and its counters. */
/** A GPU that can be used. */
export interface CudaDevice {
  name: string;
  /** "9.0" */
  computeCapability: string;
  totalBytes: number;
}

/** native/model/stretch.h. Empty and 0: as the file says. */
export interface NativeRope {
  scaling: string;
  factor: number;
  base: number;
  table: Float32Array;
}

export interface NativeEngineOptions {
  device: string;
  /** The CUDA library; '' for the one beside the addon. Tests give an emulated one. */
  cudaLibrary: string;
  instructions: string;
  threads: number;
  contextLength: number;
  /** Absent: positions are those of the file. */
  rope?: NativeRope;
  stepTokens: number;
  kvBytes: number;
  kvFormat: string;
  maxStepMs: number;
  sharedReads: 'auto' | 'always' | 'never';
  /** Where measured costs are kept, and a name that tells this machine from others that use the folder. */
  costsFolder: string;
  /** Packed weights of an earlier load; '' for none. */
  layoutPath: string;
  machine: string;
  prefixCache: boolean;
  checkInvariants: boolean;
  /** The path of a smaller model that guesses; absent: none. */
  draftModel?: string;
  /** For tests: every guess is tried, whatever it costs. */
  alwaysDrafts?: boolean;
}

/** Counters since the engine was loaded, and the memory that it uses now. */
export interface EngineStats {
  /** Forward passes. */
  steps: number;
  /** Rows (tokens) computed in them. */
  rows: number;
  /** Totals of finished requests: tokens of prompts, those found in the cache, and tokens generated. */
  promptTokens: number;
  cachedTokens: number;
  generatedTokens: number;
  /** Tokens that were guessed and tried (the option `draft`), and those that were right. */
  draftedTokens: number;
  acceptedTokens: number;
  waiting: number;
  running: number;
  /** Nodes of the radix tree. */
  segments: number;
  kvBytesInUse: number;
  kvBytes: number;
  /** Bytes of repacked weights in memory; those mapped from a file are not counted. */
  weightBytes: number;
  /** Edits of contexts that were carried out: by compression. */
  edits: number;
  /** Bytes of the keys and values that edits have left and that are still kept. */
  kvBytesEdited: number;
  /** Bytes of keys and values that steps did not read because sequences read shared ranges together. */
  kvBytesNotRead: number;
  /** Time that scheduling and planning took, over all steps. */
  hostMs: number;
  /** Time of all steps. */
  stepMs: number;
  /** Rows whose logits were computed. */
  outputs: number;
  /** Steps that had such rows. */
  outputSteps: number;
  /** Keys that rows could read, over all rows and steps; windows are not taken off. */
  attendedKeys: number;
  /** Tokens of context whose keys and values steps read, over all sequences and steps; what was shared counts for each. */
  contextTokens: number;
}

/** A range of context that several sequences of a step share. */
export interface SharedGroup {
  /** How many ranges of the context come before it. */
  depth: number;
  sequences: number;
  /** The rows (tokens) of these sequences in the step. */
  rows: number;
  firstToken: number;
  tokens: number;
  /** Whether its keys and values were read once for all of them. */
  grouped: boolean;
  /** Estimated microseconds per layer if read together and if read apart, from costs measured on this machine. 0 if `sharedReads` fixes the choice. */
  groupedUs: number;
  separateUs: number;
  bytesNotRead: number;
}

/** One step in which sequences shared something, or guessed. */
export interface StepExplanation {
  step: number;
  sequences: number;
  /** Rows of sequences that are decoding. */
  decoding: number;
  rows: number;
  /** Of the rows: guesses of next tokens. */
  drafted: number;
  /** Time for scheduling and planning. */
  hostUs: number;
  stepMs: number;
  groups: SharedGroup[];
}

/** An edit of a context by compression. */
export interface EditExplanation {
  policy: string;
  /** How many tokens the context had. */
  tokens: number;
  /** Keys of a head that are left: the mean of all layers and heads. */
  kept: number;
  /** Of these keys and values. */
  bytes: number;
  /** How long it took, with what was measured for it. */
  ms: number;
  /** Keys of a head that are left in each layer. */
  layers: number[];
}

export interface EngineDevice {
  kind: 'cpu' | 'cuda';
  /** The maker's name of the processor or GPU. */
  name: string;
  /** The instructions in use: "avx512", "avxvnni", "avx2" or "portable"; for a GPU its architecture, "sm_90". */
  instructions: string;
  /** Threads that compute; for a GPU its multiprocessors. */
  threads: number;
  /** Why another device is not used, if "auto" preferred one. */
  note?: string;
}

/** The device and the model of an engine, and how it is set up. */
export interface EngineDescription {
  device: EngineDevice;
  /** Where weights are: floats are read in place in the model's file, or in memory if they are few; quantized weights are packed
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
  /** Tokens of a text that the draft model has room for. Absent: there is none. */
  draftContextLength?: number;
  /** Path of the file or folder. */
  model: string;
}
