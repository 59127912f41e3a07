/** Times of steps on a device: each op takes as long as its reading or its arithmetic, whichever is longer. */
import type { ModelInfo } from '../models/formats/model-info.js';
import type { CostModel } from '../native.js';
import type { Device } from './devices.js';
import { efficiencyOf } from './efficiency.js';
import { decodeShape, opsOf, prefillShape } from './ops.js';
import type { Op, StepShape } from './ops.js';

export interface TimedOp extends Op {
  seconds: number;
  bound: 'reading' | 'arithmetic';
}

/** At the device's limits. */
export function boundOps(model: ModelInfo, device: Device, step: StepShape): TimedOp[] {
  return opsOf(model, step).map((op) => timed(op, device, 1, 1));
}

/** As our kernels do it: a share of the limits, and a little for each call. */
export function expectedOps(model: ModelInfo, device: Device, step: StepShape): TimedOp[] {
  return opsOf(model, step).map((op) => {
    const { reading, arithmetic, callSeconds } = efficiencyOf(op, step.rows, device);
    const one = timed(op, device, reading, arithmetic);
    return { ...one, seconds: one.seconds + op.calls * callSeconds };
  });
}

function timed(op: Op, device: Device, reading: number, arithmetic: number): TimedOp {
  const read = op.bytes / (device.readBytesPerSecond * reading);
  const compute = op.operations / (device.rates[op.arithmetic] * arithmetic);
  return {
    ...op,
    seconds: Math.max(read, compute),
    bound: read >= compute ? 'reading' : 'arithmetic',
  };
}

export const seconds = (ops: readonly TimedOp[]) => ops.reduce((sum, op) => sum + op.seconds, 0);

export interface Rates {
  /** Tokens per second, at the device's limits and as expected of our kernels. */
  bound: number;
  expected: number;
}

/** Tokens of prompts that are computed at once. */
export const STEP_ROWS = 512;

/** Of a prompt of so many tokens. */
export function prefillRates(
  model: ModelInfo,
  device: Device,
  { tokens, kvBytesPerToken, stepRows = STEP_ROWS }: PrefillShape,
): Rates {
  let [bound, expected] = [0, 0];
  for (let first = 0; first < tokens; first += stepRows) {
    const rows = Math.min(stepRows, tokens - first);
    const step = prefillShape(rows, first, kvBytesPerToken, first + rows === tokens);
    bound += seconds(boundOps(model, device, step));
    expected += seconds(expectedOps(model, device, step));
  }
  return { bound: tokens / bound, expected: tokens / expected };
}

interface PrefillShape {
  tokens: number;
  kvBytesPerToken: number;
  stepRows?: number;
}

/** Of sequences that decode together and share nothing, each after a context of this length. */
export function decodeRates(
  model: ModelInfo,
  device: Device,
  { sequences, context, kvBytesPerToken }: DecodeShape,
): Rates {
  const step = decodeShape(sequences, context, kvBytesPerToken);
  return {
    bound: sequences / seconds(boundOps(model, device, step)),
    expected: sequences / seconds(expectedOps(model, device, step)),
  };
}

interface DecodeShape {
  sequences: number;
  context: number;
  kvBytesPerToken: number;
}

/** How many sequences of this context fit beside the weights. */
export function largestBatch(
  model: ModelInfo,
  device: Device,
  { context, kvBytesPerToken }: Omit<DecodeShape, 'sequences'>,
): number {
  const weights = model.tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  return Math.max(0, Math.floor((device.memory - weights) / (context * kvBytesPerToken)));
}

/** What the simulated scheduler takes a step for: numbers per step, row and key. One rate stands for all arithmetic: that of most of it. */
export function simulationCosts(model: ModelInfo, device: Device): CostModel {
  const { kvBytesPerToken } = model.shape;
  const one = opsOf(model, decodeShape(1, 1, kvBytesPerToken.bf16));
  const linears = one.filter(({ kind }) => kind === 'linear');
  const attention = one.find(({ kind }) => kind === 'attention')!;
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const largest = linears.reduce((a, b) => (b.operations > a.operations ? b : a));
  const { reading, arithmetic } = efficiencyOf(largest, STEP_ROWS, device);
  return {
    weightBytes: sum(linears.map(({ bytes }) => bytes)),
    kvBytesPerToken: kvBytesPerToken.bf16,
    operationsPerRow: sum(linears.map(({ operations }) => operations)),
    operationsPerKey: attention.operations,
    bytesPerSecond: device.readBytesPerSecond * reading,
    operationsPerSecond: device.rates[largest.arithmetic] * arithmetic,
  };
}
