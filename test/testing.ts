/** The second addon: native parts one by one. See native/addon/testing/. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { native, type NativeSampling } from '../lib/native.js';
import type { StepTurnsBinding } from './bench/step-turns-binding.js';
import type { EmulatorBinding } from './cuda/emulator-binding.js';

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

/** k and v are [tokens, kvHeads, headDim], q is [rows, heads, headDim]; the rows are the context's last tokens. */
export interface AttentionContext {
  k: Float32Array;
  v: Float32Array;
  q: Float32Array;
  rows: number;
  /** Whole blocks of the first so many tokens are those of an earlier context, which holds the same there. */
  shares?: { context: number; tokens: number };
}

export interface PlanItem {
  run: number;
  firstTile: number;
  endTile: number;
  rows: { row: number; firstKey: number; endKey: number; partial: number; resumes: number }[];
}

/** A batch as a trace gives it: prompt i is made of the blocks hashes[hashEnds[i - 1]] to hashes[hashEnds[i]]. */
export interface SimulatedTrace {
  lengths: Int32Array;
  outputs: Int32Array;
  hashes: Int32Array;
  hashEnds: Int32Array;
  blockTokens: number;
}

export interface SimulationOptions {
  schedule: 'prefix-grouped' | 'fcfs';
  kvTokens: number;
  stepRows: number;
  reuse: boolean;
}

/** A step takes as long as its arithmetic or its reading, whichever is longer. */
export interface CostModel {
  weightBytes: number;
  kvBytesPerToken: number;
  operationsPerRow: number;
  operationsPerKey: number;
  bytesPerSecond: number;
  operationsPerSecond: number;
}

export interface Simulated {
  seconds: number;
  /** Rows of prompts, those computed again included. */
  promptRows: number;
  rows: number;
  steps: number;
  /** Of all prompts' prefix tree: what must be computed at least. */
  distinctTokens: number;
  /** Most tokens whose keys and values were in use at once. */
  peakTokens: number;
  failed: number;
  /** Scheduling, per step. */
  hostUs: number;
}

export interface PlanSequence {
  rows: number;
  position: number;
  /** Addresses of the context's blocks; equal ones are shared. */
  blocks: Int32Array;
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
  merges: { partial: number; group: number }[][];
  ranges: {
    firstTile: number;
    endTile: number;
    readers: number;
    depth: number;
    grouped: boolean;
  }[];
  pieces: { item: number; head: number; heads: number; phase: number }[];
}

/** Defaults: greedy, no truncation, no edits. */
export interface SampleRow {
  temperature?: number;
  topK?: number;
  typicalP?: number;
  topP?: number;
  minP?: number;
  seed?: number;
  completion?: number;
  position?: number;
  forcedToken?: number;
  /** How many of the likeliest tokens to report. */
  top?: number;
  edits?: { token: number; repetition?: number; add?: number }[];
}

export interface Sampled {
  token: number;
  logprob: number;
  top: { token: number; logprob: number }[];
}

export interface NativeTree {
  open(key: string, tokens: Int32Array): { leaf: number; cached: number };
  match(key: string, tokens: Int32Array): number;
  reserve(leaf: number, n: number): boolean;
  commit(leaf: number, tokens: Int32Array): void;
  release(leaf: number): void;
  discard(leaf: number): void;
  runs(leaf: number): number[];
  /** Without arguments: lets go of what was pinned last. */
  pin(key?: string, tokens?: Int32Array): void;
  retain(key: string, tokens: Int32Array, priority: number, ttlMs: number): void;
  giveUp(key: string, tokens: Int32Array, keep: number): void;
  setTime(ms: number): void;
  counts(): { free: number; available: number; segments: number; copied: number };
  clear(): void;
}

export interface TestingBinding extends EmulatorBinding, StepTurnsBinding {
  linear(
    path: string,
    threads: number,
    weight: Uint8Array,
    type: number,
    n: number,
    k: number,
    x: Float32Array,
    bias?: Float32Array | null,
  ): Float32Array;
  gatherRows(
    path: string,
    threads: number,
    weight: Uint8Array,
    type: number,
    n: number,
    k: number,
    ids: Int32Array,
  ): Float32Array;
  /** Rows of x [rows, width]. */
  selectRows(
    path: string,
    threads: number,
    x: Float32Array,
    rows: Int32Array,
    width: number,
  ): Float32Array;
  /** 1 for each row of x + delta whose numbers are all finite. */
  checkFinite(
    path: string,
    threads: number,
    x: Float32Array,
    delta: Float32Array,
    width: number,
  ): Uint8Array;
  /** An RMS norm and a linear that reads it, in one step. */
  normThenLinear(
    path: string,
    threads: number,
    weight: Uint8Array,
    type: number,
    n: number,
    k: number,
    x: Float32Array,
    norm: Float32Array,
  ): Float32Array;
  rmsNorm(
    path: string,
    threads: number,
    x: Float32Array,
    delta: Float32Array | null,
    weight: Float32Array,
    epsilon: number,
  ): { x: Float32Array; out: Float32Array };
  siluMul(path: string, threads: number, gate: Float32Array, up: Float32Array): Float32Array;
  sample(path: string, threads: number, logits: Float32Array, rows: SampleRow[]): Sampled[];
  logitEdits(
    options: NativeSampling,
    tokens: Int32Array,
    prompt: number,
  ): { token: number; repetition: number; add: number }[];
  attention(
    path: string,
    threads: number,
    shape: AttentionCase,
    contexts: AttentionContext[],
  ): Float32Array;
  /** Physical cores that this process may run on, as a file system with this root says. */
  usableCores(root: string): number;
  /** See native/tests/failing_new.cpp; only in a process that was started with it. */
  failAllocation(n: number, forEver: boolean): number;
  /** Bytes that this process can have, and what is left of them, as a file system with this root says. */
  systemMemory(root: string): { limit: number; left: number };
  plan(sequences: PlanSequence[], options: PlanOptions): Plan;
  /** The scheduler without a model; see native/addon/testing/simulation.cpp. */
  simulate(trace: SimulatedTrace, options: SimulationOptions, costs: CostModel): Simulated;
  PrefixTree: new (runs: number) => NativeTree;
}

/** Contexts of one length, the last `rows` tokens of each being the step's. */
export interface TimedContexts {
  heads: number;
  kvHeads: number;
  headDim: number;
  rows: number;
  context: number;
  sequences: number;
}

/** How long one call of an op takes, in microseconds; see native/addon/testing/timing.cpp. */
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
  timeAttention(path: string, threads: number, contexts: TimedContexts): number;
  timeKvWrite(path: string, threads: number, contexts: TimedContexts): number;
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

export const testing = require(
  join(__dirname, '..', 'build', 'test', 'cachalot_testing.node'),
) as TestingBinding;

/** The instruction paths of this machine. */
export const paths = native().instructions();

/** Where the emulator runs. A library that is missing there fails the suites that need it; elsewhere it is none. */
const isEmulatorsPlatform = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

function built(name: string, command: string): string | undefined {
  const path = join(__dirname, '..', 'build', 'test', name);
  if (!isEmulatorsPlatform) return undefined;
  if (!existsSync(path)) throw new Error(`${path} is missing: \`${command}\` makes it`);
  return path;
}

/** CUDA's kernels on the emulator. See native/cuda/emu/. */
export const emulatedLibrary = built('libcachalot_cuda_emulated.so', 'npm run build:tests');

/** The same with its checker, which the sanitizers leave no room for. */
export function checkedLibrary(): string | undefined {
  const isSanitized = process.env['LD_PRELOAD'] !== undefined;
  return isSanitized ? undefined : built('libcachalot_cuda_checked.so', 'npm run build:all');
}

/** The emulated GPU as a path of the testing addon. */
export const emulated = emulatedLibrary === undefined ? [] : [`cuda:${emulatedLibrary}`];

/** Every kernel suite runs on each. */
export const devices = [
  ...paths.map((path) => ({ name: path, path, isCuda: false })),
  ...emulated.map((path) => ({ name: 'emulated cuda', path, isCuda: true })),
];
