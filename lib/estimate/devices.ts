/** Limits of machines: what is measured here, and what makers say of some accelerators. */
import type { MachinePeaks } from '../native.js';

export interface Device {
  name: string;
  readBytesPerSecond: number;
  /** Operations per second. A product of n numbers counts 2 n. */
  rates: { int8: number; bf16: number; f16: number; f32: number };
  /** Names by which its driver calls it. */
  pattern?: RegExp;
  /** Bytes of memory that weights and KV may take. */
  memory: number;
  /** Whether the figures are this machine's own, measured. */
  isMeasured: boolean;
}

const GB = 1e9;
const T = 1e12;

/** Dense rates, without sparsity, from the makers' data sheets: NVIDIA A100, L4, L40S, H100, H200, GeForce RTX 3090 and 4090 (Ada white paper). */
export const DEVICES: Record<string, Device> = {
  'a100-80gb': named('NVIDIA A100 SXM 80 GB', 2039 * GB, [624, 312, 19.5], 80, /A100-SXM.*80GB/),
  h100: named('NVIDIA H100 SXM', 3350 * GB, [1979, 989, 67], 80, /\bH100 80GB HBM3/),
  h200: named('NVIDIA H200 SXM', 4800 * GB, [1979, 989, 67], 141, /\bH200$/),
  l4: named('NVIDIA L4', 300 * GB, [242, 121, 30.3], 24, /\bL4$/),
  l40s: named('NVIDIA L40S', 864 * GB, [733, 362, 91.6], 48, /\bL40S$/),
  'rtx-3090': named('NVIDIA GeForce RTX 3090', 936 * GB, [284, 71, 35.6], 24, /RTX 3090$/),
  'rtx-4090': named('NVIDIA GeForce RTX 4090', 1008 * GB, [661, 165, 82.6], 24, /RTX 4090$/),
};

function named(
  name: string,
  readBytesPerSecond: number,
  [int8, bf16, f32]: [number, number, number],
  gigabytes: number,
  pattern: RegExp,
): Device {
  const rates = { int8: int8 * T, bf16: bf16 * T, f16: bf16 * T, f32: f32 * T };
  return { name, readBytesPerSecond, rates, memory: gigabytes * GB, isMeasured: false, pattern };
}

export function measuredDevice(name: string, peaks: MachinePeaks, memory: number): Device {
  const { readBytesPerSecond, int8, bf16, f32 } = peaks;
  return {
    ...{ name, readBytesPerSecond, memory, isMeasured: true },
    // On CPUs weights of F16 are multiplied in f32.
    rates: { int8: int8 || f32, bf16: bf16 || f32, f16: f32, f32 },
  };
}
