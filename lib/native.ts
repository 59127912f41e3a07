/** The addon. `NativeBinding` is the whole interface between TypeScript and C++. */
import { loadBinary } from './binary/load.js';
import { packageFolders } from './binary/package-root.js';
import type {
  CudaDevice,
  EditExplanation,
  EngineDescription,
  EngineStats,
  NativeEngineOptions,
  StepExplanation,
} from './records/engine-records.js';
import type { GgufInfo, GgufOptions, TensorInfo } from './records/file-records.js';
import type { NativeEvents, NativeGrammar, NativeRequest } from './records/request-records.js';
import type {
  CostModel,
  Simulated,
  SimulatedTrace,
  SimulationOptions,
} from './records/simulation-records.js';

export type * from './records/engine-records.js';
export type * from './records/file-records.js';
export type * from './records/request-records.js';
export type * from './records/simulation-records.js';

/** Opaque: C++ knows what it is. */
export interface NativeVocabulary {
  readonly holds: 'vocabulary';
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
  explain(): { steps: StepExplanation[]; edits: EditExplanation[] };
  keepAlive(alive: boolean): void;
  stats(): EngineStats;
  /** The name of a CPU is empty here; `EngineCore` fills it in. */
  description(): Omit<EngineDescription, 'model'>;
  /** Writes the packed weights to a file; the engine goes on meanwhile. */
  saveLayout(path: string): Promise<void>;
  dispose(): Promise<void>;
}

/** The configuration of a model, whatever its container; tensors have GGUF's names. */
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
  /** Of its rotary positions. */
  rope: { base: number; dims: number };
  tensors: TensorInfo[];
}

/** The limits of this machine, over all threads together: bytes read and operations per second. */
export interface MachinePeaks {
  instructions: string;
  threads: number;
  readBytesPerSecond: number;
  f32: number;
  /** 0 if the machine has no such instruction. */
  bf16: number;
  int8: number;
}

/** The order in which prompts are best run; see native/schedule/order_prompts.h. */
export interface PromptOrder {
  order: Int32Array;
  sharedWithNext: Int32Array;
  distinctTokens: number;
}

export interface NativePromptOrderer {
  add(tokens: Int32Array, maxTokens: number): void;
  order(): Promise<PromptOrder>;
}

/** Makes engines: the addon, or in benchmarks and tests an object that wraps it. */
export interface EngineLoader {
  load(
    path: string,
    options: NativeEngineOptions,
    onEvents: (events: NativeEvents) => void,
  ): Promise<NativeEngine>;
}

export interface NativeBinding extends EngineLoader {
  PromptOrderer: new () => NativePromptOrderer;
  /** For a split model, its first part gives the tensors of all parts. */
  readGguf(path: string, options?: GgufOptions): Promise<GgufInfo>;
  /** The bytes of a tensor of a GGUF file in another type, by GGUF's number: F32, F16, BF16 or Q8_0. */
  convertTensor(path: string, name: string, type: number): Promise<Uint8Array>;
  /** The bytes of all tokens one after the other: token `id` ends before `ends[id]`; those without bytes are never allowed. */
  makeVocabulary(bytes: Uint8Array, ends: Int32Array): Promise<NativeVocabulary>;
  /** An answer that as a whole, after the gap or without it, is what a regular expression describes; native/grammar/. */
  compileRegex(vocabulary: NativeVocabulary, pattern: string, gap: string): Promise<NativeGrammar>;
  /** An answer that as a whole, after the gap or without it, is a text of a grammar (GBNF). */
  compileGrammar(
    vocabulary: NativeVocabulary,
    grammar: string,
    gap: string,
  ): Promise<NativeGrammar>;
  /** An answer that is JSON which fits a schema. */
  compileSchema(vocabulary: NativeVocabulary, schema: string): Promise<NativeGrammar>;
  inspectModel(path: string): Promise<NativeModelInfo>;
  /** `file`: a large file whose pages are read as well; '' for none. */
  measurePeaks(instructions: string, threads: number, file: string): Promise<MachinePeaks>;
  instructions(): string[];
  /** The GPUs, or one line that says why there are none. */
  cuda(library: string): { devices: CudaDevice[]; reason: string };
  /** Runs the scheduler over a trace, with a cost model in place of a model; native/engine/simulation.h. */
  simulate(trace: SimulatedTrace, options: SimulationOptions, costs: CostModel): Promise<Simulated>;
  /** Bytes of memory that this process can have: the machine's, within the limits of its container. */
  memoryLimit(): number;
  /** Version of the layout of packed weights: it changes when the layout does. */
  layoutName(): string;
}

let loaded: NativeBinding | undefined;

export function native(): NativeBinding {
  loaded ??= loadBinary(packageFolders) as NativeBinding;
  return loaded;
}
