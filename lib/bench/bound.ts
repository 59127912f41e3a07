/**
 * The highest speed at which a machine could run a model: every weight of a matrix is read once for each step, and multiplied and
 * added once for each token, at the machine's own measured rates (the roofline of Williams et al. 2009).
 */
import type { ModelInfo } from '../models/formats/model-info.js';
import { parametersOf } from '../models/formats/model-info.js';
import type { MachinePeaks, TensorInfo } from '../native.js';

/** Matrices that every token goes through; the embedding only if it is also the output layer. */
function matrices({ tensors }: ModelInfo): TensorInfo[] {
  const hasOutput = tensors.some(({ name }) => name === 'output.weight');
  return tensors.filter(
    ({ name, shape }) => shape.length > 1 && !(hasOutput && name === 'token_embd.weight'),
  );
}

const isOutput = ({ name }: TensorInfo) => name === 'output.weight' || name === 'token_embd.weight';

/** Operations per second of products with weights of a type: quantized weights are multiplied in int8. */
function rate(type: string, peaks: MachinePeaks): number {
  if (type === 'F32' || type === 'F16') return peaks.f32;
  if (type === 'BF16') return peaks.bf16 || peaks.f32;
  return peaks.int8;
}

/** Tokens per second of a prompt of so many tokens, if only the arithmetic took time. */
export function prefillBound(model: ModelInfo, peaks: MachinePeaks, tokens: number): number {
  let seconds = 0;
  for (const tensor of matrices(model)) {
    const rows = isOutput(tensor) ? 1 : tokens; // only the last token's logits are wanted
    seconds += (2 * rows * parametersOf(tensor)) / rate(tensor.type, peaks);
  }
  const { heads, headDim, layers } = model.shape;
  const attention = (4 * heads * headDim * layers * tokens * tokens) / 2;
  return tokens / (seconds + attention / (peaks.bf16 || peaks.f32));
}

/** Tokens per second of sequences that decode together and share nothing, each with a context of this length. */
export function decodeBound(
  model: ModelInfo,
  peaks: MachinePeaks,
  context: number,
  kvFormat: 'bf16' | 'f32',
  sequences = 1,
): number {
  const weights = matrices(model).reduce((sum, { bytes }) => sum + bytes, 0);
  const kv = sequences * context * model.shape.kvBytesPerToken[kvFormat];
  const reading = (weights + kv) / peaks.readBytesPerSecond;
  const { heads, headDim, layers } = model.shape;
  const attention = (4 * heads * headDim * layers * context) / (peaks.bf16 || peaks.f32);
  const products = matrices(model).reduce(
    (sum, tensor) => sum + (2 * parametersOf(tensor)) / rate(tensor.type, peaks),
    0,
  );
  return sequences / Math.max(reading, sequences * (products + attention));
}
