/** The addon. `NativeBinding` is the whole contract between TypeScript and C++. */
import { loadBinary } from './binary/load.js';
import { packageFolders } from './binary/package-root.js';
import type { CudaDevice } from './cuda-device.js';
import type { EngineDescription } from './engine-description.js';
import type { GgufInfo, GgufOptions, TensorInfo } from './gguf-info.js';

export type { GgufExcerpt, GgufInfo, GgufValue, TensorInfo } from './gguf-info.js';

export interface NativeRequest {
  id: number;
  kind: 'generate' | 'score' | 'logits' | 'prefill';
  namespace: string;
  tokens: Int32Array;
  maxTokens: number;
  sampling: NativeSampling;
  stopTokens: Int32Array;
  rows: Int32Array;
  /** Of a "prefill": not 0: keeps the keys and values until `unpin` of the same number. */
  pin: number;
  /** 0 to 100: who runs first, and whose keys and values are kept longest. */
  priority: number;
  /** Of a "prefill": how long its keys and values are kept after their last use; 0: no limit. */
  ttlMs: number;
  /** From submission; 0: none. */
  deadlineMs: number;
  /** Not 0: an item of that batch, and its place in the batch's order. */
  batch: number;
  batchRank: number;
  /** Whether to tell when it is in its first step. */
  tellStart: boolean;
}

/** A request is in its first step. */
export interface NativeStart {
  id: number;
  cachedTokens: number;
  queuedMs: number;
}

/** backend/params.h and engine/request.h say what each does. */
export interface NativeSampling {
  biasTokens: Int32Array;
  biasValues: Float32Array;
  repetitionPenalty: number;
  frequencyPenalty: number;
  presencePenalty: number;
  penaltyWindow: number;
  dryMultiplier: number;
  dryBase: number;
  dryAllowedLength: number;
  dryWindow: number;
  dryBreakers: Int32Array;
  temperature: number;
  topK: number;
  typicalP: number;
  topP: number;
  minP: number;
  seed: number;
  completion: number;
  topLogprobs: number;
}

export interface NativeFinish {
  id: number;
  reason: 'stop' | 'length' | 'done' | 'aborted' | 'error';
  errorCode?: string;
  errorMessage?: string;
  promptTokens: number;
  cachedTokens: number;
  generatedTokens: number;
  queuedMs: number;
  prefillMs: number;
  decodeMs: number;
  values: Float32Array;
}

/**
 * All that happened in one step, or in those since JavaScript last looked. `tokens` is flat, repeated: request id, token id, log-probability, n, and n times
 * (token id, log-probability) of the likeliest tokens.
 */
export interface NativeEvents {
  /** Of those that asked for it. */
  started?: NativeStart[];
  tokens: Float64Array;
  finished: NativeFinish[];
  /** While the model is loaded: how many bytes of its weights are ready; the last may come with the first tokens. */
  loadedBytes?: number;
  totalBytes?: number;
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

export interface NativeEngine {
  submit(request: NativeRequest): void;
  cancel(id: number): void;
  unpin(pin: number): void;
  /** Requests will name the batch, with ranks from 0; each rank shares so many tokens with the next. */
  beginBatch(batch: number, sharedWithNext: Int32Array): void;
  /** An item that will never be submitted. */
  skipBatchItem(batch: number, rank: number): void;
  clearCache(): void;
  explain(): StepExplanation[];
  keepAlive(alive: boolean): void;
  stats(): EngineStats;
  /** The name of a CPU is empty: ask `EngineCore`. */
  description(): Omit<EngineDescription, 'model'>;
  /** Writes what weights were packed into; the engine goes on meanwhile. */
  saveLayout(path: string): Promise<void>;
  dispose(): Promise<void>;
}

/** What a model is, whatever its container; tensors under GGUF's names. */
export interface NativeModelInfo {
  architecture: string;
  contextLength: number;
  layers: number;
  width: number;
  ffnWidth: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocabulary: number;
  tensors: TensorInfo[];
}

/** What this machine can do at most, of all threads together: bytes read and operations per second. */
export interface MachinePeaks {
  instructions: string;
  threads: number;
  readBytesPerSecond: number;
  f32: number;
  /** 0 where there is no such instruction. */
  bf16: number;
  int8: number;
}

/** The order in which prompts are best run; see native/engine/group_prompts.h. */
export interface PromptOrder {
  order: Int32Array;
  sharedWithNext: Int32Array;
  distinctTokens: number;
}

export interface NativePromptGrouper {
  add(tokens: Int32Array, maxTokens: number): void;
  group(): Promise<PromptOrder>;
}

/** What makes engines: the addon, or in benchmarks and tests one that puts something below them. */
export interface EngineLoader {
  load(
    path: string,
    options: NativeEngineOptions,
    onEvents: (events: NativeEvents) => void,
  ): Promise<NativeEngine>;
}

export interface NativeBinding extends EngineLoader {
  PromptGrouper: new () => NativePromptGrouper;
  /** Of a split model, its first part gives the tensors of all. */
  readGguf(path: string, options?: GgufOptions): Promise<GgufInfo>;
  inspectModel(path: string): Promise<NativeModelInfo>;
  /** `file`: a large one whose pages are read as well; '' for none. */
  measurePeaks(instructions: string, threads: number, file: string): Promise<MachinePeaks>;
  instructions(): string[];
  /** GPUs, or in one line why there are none. */
  cuda(library: string): { devices: CudaDevice[]; reason: string };
  /** Bytes of memory that this process can have: of the machine, within the limits of its container. */
  memoryLimit(): number;
  /** Names the layout of packed weights: it changes when they do. */
  layoutName(): string;
}

let loaded: NativeBinding | undefined;

export function native(): NativeBinding {
  loaded ??= loadBinary(packageFolders) as NativeBinding;
  return loaded;
}
