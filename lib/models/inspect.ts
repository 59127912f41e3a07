/** What is in a model file, whether this version can run it or not. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';

import { CachalotError, fromNative } from '../errors.js';
import { native } from '../native.js';
import type { GgufInfo, GgufValue, TensorInfo } from '../native.js';
import { sourcePath } from './cache-folder.js';
import { modelBytes } from './file-bytes.js';
import { locate } from './hub-source.js';
import type { HubFile } from './hub-source.js';
import {
  LONGEST_LIST,
  kvBytesPerToken,
  parametersOf,
  readModelInfo,
  totalsByType,
} from './model-info.js';
import type { ModelShape, TypeTotal } from './model-info.js';
import { resolveModel } from './pull.js';
import type { PullOptions } from './pull.js';
import { readRemoteHeader } from './remote-header.js';
import { isSource, parseSource } from './source.js';
import { splitParts } from './split-parts.js';

export interface Inspection {
  model: string;
  container: 'GGUF' | 'safetensors';
  fileBytes: number;
  parameters: number;
  types: TypeTotal[];
  /** The model's shape, or why this version cannot run it. For remote files, only what the header says. */
  shape?: ModelShape;
  problem?: string;
  /** Of a GGUF file. */
  metadata?: Record<string, GgufValue>;
  tensors: TensorInfo[];
}

/** A file, a folder, an alias, a source ("hf:owner/repo/file.gguf": only its header is fetched) or an https address. */
export async function inspectModel(
  model: string,
  options: Pick<PullOptions, 'signal' | 'onProgress'> = {},
): Promise<Inspection> {
  if (isRemote(model)) {
    const { info, fileBytes } = await readRemoteModel(model, options.signal);
    return { ...describeGguf(model, info, fileBytes), ...shapeFromMetadata(info) };
  }
  const path = await resolveModel(model, options);
  const isSafetensors = (await stat(path)).isDirectory() || /\.(safetensors|json)$/.test(path);
  if (isSafetensors) {
    return { model, container: 'safetensors', ...(await readModelInfo(path)) };
  }
  const info = await native()
    .readGguf(path, { longestList: LONGEST_LIST })
    .catch((error: unknown) => Promise.reject(fromNative(error)));
  return { ...describeGguf(model, info, await modelBytes(path)), ...(await shapeOf(path)) };
}

/** Whether only headers are fetched: of a GGUF file that is not here yet. */
function isRemote(model: string): boolean {
  if (isAddress(model)) return true;
  if (existsSync(model) || !isSource(model)) return false;
  const source = parseSource(model);
  if (source.kind !== 'hf' || source.file === undefined) return false;
  return source.file.endsWith('.gguf') && !existsSync(sourcePath(source));
}

const isAddress = (model: string) => /^https?:\/\//.test(model);

type RemoteHeader = Awaited<ReturnType<typeof readRemoteHeader>>;

/** The header of a file; of the first part of a split model, with what the other parts have. */
async function readRemoteModel(model: string, signal?: AbortSignal): Promise<RemoteHeader> {
  const { info, fileBytes } = await readRemoteFile(model, signal);
  const parts = splitParts(model);
  const whole = { info: { ...info, tensors: [...info.tensors] }, fileBytes };
  if (info.metadata['split.count'] !== parts.length) return whole;
  for (const part of parts.slice(1)) {
    const other = await readRemoteFile(part, signal);
    for (const tensor of other.info.tensors) whole.info.tensors.push(tensor);
    whole.fileBytes += other.fileBytes;
  }
  return whole;
}

async function readRemoteFile(model: string, signal?: AbortSignal): Promise<RemoteHeader> {
  if (isAddress(model)) return readRemoteHeader(model, {}, signal);
  const source = parseSource(model) as HubFile; // isRemote has seen to that
  const { location, headers } = (await locate(source, false, signal))!;
  return readRemoteHeader(location, headers, signal);
}

function describeGguf(
  model: string,
  { metadata, tensors }: GgufInfo,
  fileBytes: number,
): Inspection {
  return {
    model,
    container: 'GGUF',
    fileBytes,
    parameters: tensors.reduce((sum, tensor) => sum + parametersOf(tensor), 0),
    types: totalsByType(tensors),
    metadata,
    tensors,
  };
}

async function shapeOf(path: string): Promise<Pick<Inspection, 'shape' | 'problem'>> {
  try {
    const { shape } = await readModelInfo(path);
    return { shape };
  } catch (error) {
    return { problem: error instanceof CachalotError ? error.message : String(error) };
  }
}

/** The same numbers from the header alone, as far as it says them. */
function shapeFromMetadata({ metadata, tensors }: GgufInfo): Pick<Inspection, 'shape'> {
  const architecture = metadata['general.architecture'];
  if (typeof architecture !== 'string') return {};
  const number = (key: string) => {
    const value = metadata[`${architecture}.${key}`];
    if (value instanceof Float64Array) return value.reduce((a, b) => Math.max(a, b), 0); // one for each layer
    return typeof value === 'number' ? value : 0;
  };
  const [layers, width, heads] = [
    number('block_count'),
    number('embedding_length'),
    number('attention.head_count'),
  ];
  if (layers === 0 || width === 0 || heads === 0) return {};
  const kvHeads = number('attention.head_count_kv') || heads;
  const headDim = number('attention.key_length') || width / heads;
  return {
    shape: {
      architecture,
      contextLength: number('context_length'),
      layers,
      width,
      ffnWidth: number('feed_forward_length'),
      heads,
      kvHeads,
      headDim,
      vocabulary: tensors.find(({ name }) => name === 'token_embd.weight')?.shape[1] ?? 0,
      kvBytesPerToken: kvBytesPerToken({ layers, kvHeads, headDim }),
    },
  };
}
