/**
 * What a step reads and computes, op by op, from a model's shape alone (the roofline of Williams et al. 2009, as LLM-Viewer applies it
 * to inference, arXiv 2402.16363). A matrix is read once for all rows; keys and values once for each sequence.
 */
import { parametersOf } from '../models/formats/model-info.js';
import type { ModelInfo } from '../models/formats/model-info.js';
import type { TensorInfo } from '../native.js';

/** Numbers in which an op multiplies. */
export type Arithmetic = 'int8' | 'bf16' | 'f16' | 'f32';

export interface Op {
  name: string;
  /** Over all layers. */
  bytes: number;
  operations: number;
  arithmetic: Arithmetic;
  /** How many calls it is made of. */
  calls: number;
  kind: 'linear' | 'attention' | 'elementwise';
  /** Bits of one weight; of other ops 0. */
  bits: number;
}

export interface StepShape {
  rows: number;
  /** Rows whose logits are wanted. */
  outputs: number;
  /** Keys that rows read, over all rows. */
  attendedKeys: number;
  /** Tokens whose keys and values are read, over all sequences. */
  contextTokens: number;
  kvBytesPerToken: number;
}

/** One token for each of `sequences`, each after `context` tokens, with nothing shared. */
export function decodeShape(
  sequences: number,
  context: number,
  kvBytesPerToken: number,
): StepShape {
  const tokens = sequences * context;
  return {
    ...{ rows: sequences, outputs: sequences },
    ...{ attendedKeys: tokens, contextTokens: tokens, kvBytesPerToken },
  };
}

/** Tokens [first, first + rows) of a prompt. */
export function prefillShape(
  rows: number,
  first: number,
  kvBytesPerToken: number,
  isLast = true,
): StepShape {
  return {
    ...{ rows, outputs: isLast ? 1 : 0, kvBytesPerToken },
    attendedKeys: rows * first + (rows * (rows + 1)) / 2,
    contextTokens: first + rows,
  };
}

export function opsOf(model: ModelInfo, step: StepShape): Op[] {
  const names = new Map<string, TensorInfo[]>();
  for (const tensor of matrices(model)) {
    const name = tensor.name.replace(/^blk\.\d+\./, '').replace(/\.weight$/, '');
    names.set(name, [...(names.get(name) ?? []), tensor]);
  }
  const linears = [...names].map(([name, tensors]) => linear(name, tensors, step));
  return [
    ...linears.filter(({ operations }) => operations > 0),
    attention(model, step),
    rest(model, step),
  ];
}

/** Matrices that every token goes through; the embedding only if it is also the output layer. */
function matrices({ tensors }: ModelInfo): TensorInfo[] {
  const hasOutput = tensors.some(({ name }) => name === 'output.weight');
  return tensors.filter(
    ({ name, shape }) => shape.length > 1 && !(hasOutput && name === 'token_embd.weight'),
  );
}

const isOutput = (name: string) => name === 'output' || name === 'token_embd';

function linear(name: string, tensors: readonly TensorInfo[], step: StepShape): Op {
  const rows = isOutput(name) ? step.outputs : step.rows;
  const parameters = tensors.reduce((sum, tensor) => sum + parametersOf(tensor), 0);
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  return {
    name: isOutput(name) ? 'output' : name,
    bytes: rows === 0 ? 0 : bytes,
    operations: 2 * rows * parameters,
    arithmetic: arithmeticOf(tensors[0]!.type),
    calls: tensors.length,
    kind: 'linear',
    bits: (8 * bytes) / parameters,
  };
}

/** Quantized weights are multiplied in int8. */
function arithmeticOf(type: string): Arithmetic {
  if (type === 'F32') return 'f32';
  if (type === 'F16') return 'f16';
  return type === 'BF16' ? 'bf16' : 'int8';
}

function attention({ shape }: ModelInfo, step: StepShape): Op {
  const { heads, headDim, layers } = shape;
  return {
    name: 'attention',
    bytes: step.contextTokens * step.kvBytesPerToken,
    operations: 4 * heads * headDim * layers * step.attendedKeys,
    arithmetic: 'bf16',
    calls: layers,
    kind: 'attention',
    bits: 0,
  };
}

/** Norms, rotations, activations, additions: what they read and write, in f32. */
function rest({ shape }: ModelInfo, { rows }: StepShape): Op {
  const { layers, width, ffnWidth, heads, kvHeads, headDim } = shape;
  const norms = 2 * 2 * width;
  const additions = 2 * 3 * width;
  const rotation = 2 * (heads + 2 * kvHeads) * headDim;
  const values = layers * (norms + additions + rotation + 3 * ffnWidth) * rows;
  const calls = 7 * layers;
  return {
    name: 'norms and the like',
    ...{ bytes: 4 * values, operations: 4 * values, arithmetic: 'f32', calls },
    ...{ kind: 'elementwise', bits: 0 },
  };
}
