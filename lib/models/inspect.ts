/** Shows what is in a model file, whether this version can run it or not. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { types } from 'node:util';

import { CachalotError, fromNative } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { native } from '../native.js';
import type { GgufInfo, GgufValue, TensorInfo } from '../native.js';
import { findLocal } from './find-local.js';
import { withForceAdvice } from './force-advice.js';
import {
  LONGEST_LIST,
  kvBytesPerToken,
  parametersOf,
  readModelInfo,
  totalsByType,
} from './formats/model-info.js';
import type { ModelShape, TypeTotal } from './formats/model-info.js';
import { isSource, parseSource } from './names/source.js';
import { partsOf } from './names/split-name.js';
import { resolveModel } from './pull.js';
import { readRemoteHeader } from './remote-header.js';
import { hubName } from './sources/hub.js';
import { describeHubFile } from './sources/hub-file.js';
import type { HubFile } from './sources/hub-file.js';
import { pickGguf } from './sources/hub-list.js';
import type { PullOptions } from './sources/pull-options.js';
import { modelBytes } from './store/file-bytes.js';

export interface Inspection {
  model: string;
  container: 'GGUF' | 'safetensors';
  fileBytes: number;
  parameters: number;
  types: TypeTotal[];
  /** The model's shape, or why this version cannot run it. For remote files, only the header's values. */
  shape?: ModelShape;
  problem?: string;
  /** Only for a GGUF file. */
  metadata?: Record<string, GgufValue>;
  tensors: TensorInfo[];
}

/** A file, a folder, an alias, a source ("hf:owner/repo/file.gguf": only its header is fetched) or an https address. */
export async function inspectModel(
  model: string,
  options: Pick<PullOptions, 'signal' | 'onProgress'> = {},
): Promise<Inspection> {
  return inspect(model, options).catch((error: unknown) => {
    throw withForceAdvice(error, model);
  });
}

async function inspect(
  model: string,
  options: Pick<PullOptions, 'signal' | 'onProgress'>,
): Promise<Inspection> {
  const remote = await remoteParts(model, options.signal);
  if (remote) {
    const { info, fileBytes } = await readRemoteModel(remote, options.signal);
    return { ...describeGguf(model, info, fileBytes), ...shapeFromMetadata(info) };
  }
  const path = await resolveModel(model, options);
  const status = await stat(path).catch((error: unknown) => {
    throw ioError(error, 'read', path);
  });
  const isSafetensors = status.isDirectory() || /\.(safetensors|json)$/.test(path);
  if (isSafetensors) {
    return { model, container: 'safetensors', ...(await readModelInfo(path)) };
  }
  const info = await native()
    .readGguf(path, { longestList: LONGEST_LIST })
    .catch((error: unknown) => Promise.reject(fromNative(error)));
  return { ...describeGguf(model, info, await modelBytes(path)), ...(await shapeOf(path)) };
}

interface RemotePart {
  url: string;
  headers: Record<string, string>;
}

/** For a remote GGUF file: where its parts lie. */
async function remoteParts(
  model: string,
  signal: AbortSignal | undefined,
): Promise<RemotePart[] | undefined> {
  if (existsSync(model) || !isSource(model)) return undefined;
  const source = parseSource(model);
  if (source.kind === 'npm' || (await findLocal(source))) return undefined;
  if (source.kind === 'https') {
    const { url } = source;
    return partsOf(new URL(url).pathname).map((pathname) => {
      const part = new URL(url);
      part.pathname = pathname;
      return { url: part.href, headers: {} };
    });
  }
  const { quantization, ...whole } = source;
  const file =
    quantization === undefined
      ? source.file
      : await pickGguf({ ...whole, quantization }, { signal });
  if (!file?.endsWith('.gguf')) return undefined;
  return Promise.all(partsOf(file).map((part) => hubPart({ ...whole, file: part }, signal)));
}

async function hubPart(file: HubFile, signal: AbortSignal | undefined): Promise<RemotePart> {
  const info = await describeHubFile(file, { signal });
  if (info) return info;
  throw new CachalotError(
    'download_failed',
    `the hub has no file ${hubName(file)} (404): is the name right?`,
  );
}

/** The header of the first part, with the tensors of the other parts. */
async function readRemoteModel(
  parts: readonly RemotePart[],
  signal: AbortSignal | undefined,
): Promise<{ info: GgufInfo; fileBytes: number }> {
  const [first, ...others] = await Promise.all(
    parts.map(({ url, headers }) => readRemoteHeader(url, headers, { signal })),
  );
  const all = [first!, ...others];
  const tensors = all.flatMap(({ info }) => info.tensors);
  const fileBytes = all.reduce((sum, part) => sum + part.fileBytes, 0);
  return { info: { ...first!.info, tensors }, fileBytes };
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

/** Of rotary positions, where a file says nothing. */
const DEFAULT_BASE = 10_000;

/** The same numbers from the header alone, as far as it has them. */
function shapeFromMetadata({ metadata, tensors }: GgufInfo): Pick<Inspection, 'shape'> {
  const architecture = metadata['general.architecture'];
  if (typeof architecture !== 'string') return {};
  const number = (key: string) => {
    const value = metadata[`${architecture}.${key}`];
    if (types.isFloat64Array(value)) return value.reduce((a, b) => Math.max(a, b), 0); // one value for each layer
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
      rope: {
        base: number('rope.freq_base') || DEFAULT_BASE,
        dims: number('rope.dimension_count') || headDim,
      },
    },
  };
}
