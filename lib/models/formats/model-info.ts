/** What a model on disk contains: for `inspect`, and to compute what running it must cost. */
import { fromNative } from '../../errors.js';
import { native } from '../../native.js';
import type { NativeModelInfo, TensorInfo } from '../../native.js';
import { modelBytes } from '../store/file-bytes.js';

export interface TypeTotal {
  type: string;
  tensors: number;
  parameters: number;
  bytes: number;
}

export interface ModelShape extends Omit<NativeModelInfo, 'tensors'> {
  /** Keys and values of one token, in each format. */
  kvBytesPerToken: { bf16: number; f32: number };
}

export interface ModelInfo {
  fileBytes: number;
  parameters: number;
  /** By element type, most bytes first. */
  types: TypeTotal[];
  shape: ModelShape;
  tensors: TensorInfo[];
}

/** Only the beginning of longer lists in metadata is shown; every vocabulary is shorter. */
export const LONGEST_LIST = 2 ** 20;

/** For a GGUF file or a Hugging Face folder that this version can run. Throws the errors that loading it would. */
export async function readModelInfo(path: string): Promise<ModelInfo> {
  const { tensors, ...shape } = await native()
    .inspectModel(path)
    .catch((error: unknown) => Promise.reject(fromNative(error)));
  return {
    fileBytes: await modelBytes(path),
    parameters: tensors.reduce((sum, tensor) => sum + parametersOf(tensor), 0),
    types: totalsByType(tensors),
    shape: { ...shape, kvBytesPerToken: kvBytesPerToken(shape) },
    tensors,
  };
}

export function kvBytesPerToken({
  layers,
  kvHeads,
  headDim,
}: Pick<NativeModelInfo, 'layers' | 'kvHeads' | 'headDim'>): ModelShape['kvBytesPerToken'] {
  const elements = 2 * layers * kvHeads * headDim;
  return { bf16: 2 * elements, f32: 4 * elements };
}

export function parametersOf({ shape }: TensorInfo): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function totalsByType(tensors: readonly TensorInfo[]): TypeTotal[] {
  const totals = new Map<string, TypeTotal>();
  for (const tensor of tensors) {
    const { type } = tensor;
    const total = totals.get(type) ?? { type, tensors: 0, parameters: 0, bytes: 0 };
    total.tensors++;
    total.parameters += parametersOf(tensor);
    total.bytes += tensor.bytes;
    totals.set(type, total);
  }
  return [...totals.values()].sort((a, b) => b.bytes - a.bytes);
}
