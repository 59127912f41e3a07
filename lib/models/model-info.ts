/** What a model on disk is: for `inspect`, and to count what running it must cost. */
import { stat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { fromNative } from '../errors.js';
import { native } from '../native.js';
import type { NativeModelInfo, TensorInfo } from '../native.js';

export interface TypeTotal {
  type: string;
  tensors: number;
  parameters: number;
  bytes: number;
}

export interface ModelInfo extends NativeModelInfo {
  fileBytes: number;
  parameters: number;
  /** By type of element, most bytes first. */
  types: TypeTotal[];
  /** Keys and values of one token, in each format. */
  kvBytesPerToken: { bf16: number; f32: number };
}

/** Of a GGUF file or a Hugging Face folder that this version can run. Throws what loading it would. */
export async function readModelInfo(path: string): Promise<ModelInfo> {
  const model = await native()
    .inspectModel(path)
    .catch((error: unknown) => Promise.reject(fromNative(error)));
  const { layers, kvHeads, headDim } = model;
  const elements = 2 * layers * kvHeads * headDim;
  return {
    ...model,
    fileBytes: await bytesOf(path),
    parameters: model.tensors.reduce((sum, tensor) => sum + parametersOf(tensor), 0),
    types: totalsByType(model.tensors),
    kvBytesPerToken: { bf16: 2 * elements, f32: 4 * elements },
  };
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

/** Of a file, or of the files of a folder. */
export async function bytesOf(path: string): Promise<number> {
  const status = await stat(path);
  if (!status.isDirectory()) return status.size;
  const entries = await readdir(path, { withFileTypes: true });
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => bytesOf(join(path, entry.name))),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
