/** Single ops on one path: an instruction path of the CPU, or "cuda:" and a library; native/addon/testing/ops.cpp. */
import type { NativeSampling } from '../../lib/native.js';

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
  /** The tokens that may be drawn; absent: all. */
  allowed?: Int32Array;
  edits?: { token: number; repetition?: number; add?: number; pull?: number }[];
}

export interface Sampled {
  token: number;
  logprob: number;
  top: { token: number; logprob: number }[];
}

export interface OpsBinding {
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
}
