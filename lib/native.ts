/** Finds and loads the addon. `NativeBinding` is the whole contract between TypeScript and C++. */
import { existsSync } from 'node:fs';
import { join, sep } from 'node:path';

import { CachalotError } from './errors.js';

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
 * All that happened in one step. `tokens` is flat, repeated: request id, token id, log-probability, n, and n times
 * (token id, log-probability) of the likeliest tokens.
 */
export interface NativeEvents {
  tokens: Float64Array;
  finished: NativeFinish[];
}

export interface NativeEngineOptions {
  instructions: string;
  threads: number;
  contextLength: number;
  stepTokens: number;
  kvBytes: number;
  kvFormat: string;
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
  /** Bytes of repacked weights; those read in place from the file are not counted. */
  weightBytes: number;
}

/** What is running, where and how. */
export interface EngineDescription {
  /** "cpu, avx512, 2 threads" */
  device: string;
  kvFormat: string;
  /** The longest context, in tokens. */
  contextLength: number;
  /** How many logits a row has. */
  vocabulary: number;
  architecture: string;
  layers: number;
  /** Path of the file or folder. */
  model: string;
}

export interface NativeEngine {
  submit(request: NativeRequest): void;
  cancel(id: number): void;
  unpin(pin: number): void;
  clearCache(): void;
  keepAlive(alive: boolean): void;
  stats(): EngineStats;
  description(): Omit<EngineDescription, 'model'>;
  dispose(): Promise<void>;
}

/** Lists of numbers and of truth values come as Float64Array. */
export type GgufValue = number | boolean | string | string[] | Float64Array;

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

export interface NativeBinding {
  load(
    path: string,
    options: NativeEngineOptions,
    onEvents: (events: NativeEvents) => void,
  ): Promise<NativeEngine>;
  readGguf(path: string): Promise<GgufInfo>;
  inspectModel(path: string): Promise<NativeModelInfo>;
  measurePeaks(instructions: string, threads: number): Promise<MachinePeaks>;
  instructions(): string[];
}

/** The package's folder: the same from lib/ and from dist/, and on the unpacked side of an Electron archive. */
export const packageRoot = join(__dirname, '..').replace(
  `app.asar${sep}`,
  `app.asar.unpacked${sep}`,
);

let loaded: NativeBinding | undefined;

export function native(): NativeBinding {
  loaded ??= loadBinding();
  return loaded;
}

function loadBinding(): NativeBinding {
  try {
    const load = require('node-gyp-build') as (directory: string) => NativeBinding;
    return load(packageRoot);
  } catch (error) {
    const inClone =
      existsSync(join(packageRoot, 'CMakeLists.txt')) && existsSync(join(packageRoot, 'lib'));
    const way = inClone
      ? 'run `npm run build`'
      : 'run `npx cachalot build`, which needs cmake and a C++20 compiler';
    throw new CachalotError(
      'no_binary',
      `there is no cachalot binary for ${process.platform}-${process.arch}, Node ${process.versions.node}: ${way}`,
      { cause: error },
    );
  }
}
