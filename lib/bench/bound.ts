/**
 * The highest speed at which a machine could run a model: every weight of a matrix is read once for each step, and multiplied and
 * added once for each token, at the machine's own measured rates (lib/estimate/ops.ts).
 */
import { measuredDevice } from '../estimate/devices.js';
import { decodeShape, opsOf, prefillShape } from '../estimate/ops.js';
import type { StepShape } from '../estimate/ops.js';
import type { ModelInfo } from '../models/formats/model-info.js';
import type { MachinePeaks } from '../native.js';

/** Seconds of reading and of arithmetic, each by itself. Norms and the like stay in caches, and are left out. */
function limits(model: ModelInfo, peaks: MachinePeaks, step: StepShape) {
  const { readBytesPerSecond, rates } = measuredDevice('', peaks, 0);
  let [reading, arithmetic] = [0, 0];
  for (const op of opsOf(model, step)) {
    if (op.kind === 'elementwise') continue;
    reading += op.bytes / readBytesPerSecond;
    arithmetic += op.operations / rates[op.arithmetic];
  }
  return { reading, arithmetic };
}

/** Tokens per second of a prompt of so many tokens, if only the arithmetic took time. */
export function prefillBound(model: ModelInfo, peaks: MachinePeaks, tokens: number): number {
  return tokens / limits(model, peaks, prefillShape(tokens, 0, 0)).arithmetic;
}

/** Tokens per second of sequences that decode together and share nothing, each with a context of this length. */
export function decodeBound(
  model: ModelInfo,
  peaks: MachinePeaks,
  context: number,
  kvFormat: 'bf16' | 'f32',
  sequences = 1,
): number {
  const step = decodeShape(sequences, context, model.shape.kvBytesPerToken[kvFormat]);
  const { reading, arithmetic } = limits(model, peaks, step);
  return sequences / Math.max(reading, arithmetic);
}
