/** Writes a GGUF model again with its matrices in another type of numbers, for comparisons: floats of a quantized file, or Q8_0 of floats. */
import { CachalotError, abortError, fromNative } from '../errors.js';
import { openRegular } from '../files/regular-file.js';
import { native } from '../native.js';
import type { GgufInfo, TensorInfo } from '../native.js';
import { ALIGNMENT, writeGguf } from './formats/gguf-writer.js';
import type { LazyTensorData } from './formats/gguf-writer.js';

/** GGUF's numbers, and the bytes of so many elements. */
export const CONVERT_TYPES = {
  F32: { number: 0, elements: 1, bytes: 4 },
  F16: { number: 1, elements: 1, bytes: 2 },
  BF16: { number: 30, elements: 1, bytes: 2 },
  Q8_0: { number: 8, elements: 32, bytes: 34 },
} as const;

export type ConvertType = keyof typeof CONVERT_TYPES;

export interface ConvertOptions {
  type: ConvertType;
  signal?: AbortSignal | undefined;
  onProgress?: (bytes: number, totalBytes: number) => void;
}

/** GGUF's names of whole files' types (general.file_type). */
const FILE_TYPES: Record<ConvertType, number> = { F32: 0, F16: 1, BF16: 32, Q8_0: 7 };

/**
 * Vectors, such as the weights of norms, stay as they are; a matrix whose rows are no multiple of 32 becomes F16 where Q8_0 was asked
 * for. The output is whole or absent. Throws what reading the file throws, not_a_number for what the type cannot hold, io, or aborted.
 */
export async function convertModel(
  path: string,
  output: string,
  { type, signal, onProgress }: ConvertOptions,
): Promise<{ bytes: number }> {
  const info = await ours(native().readGguf(path, { keys: ['split.', 'general.'], alone: true }));
  if (info.metadata['split.count'] !== undefined && info.metadata['split.count'] !== 1)
    throw new CachalotError('not_supported', `'${path}' is a part of a split model; join it first`);
  let done = 0;
  const tensors = info.tensors.map((tensor): LazyTensorData => {
    const to = targetOf(tensor, type);
    const data = {
      length: to.length,
      make: async () => {
        if (signal?.aborted) throw abortError(signal);
        const bytes = await ours(native().convertTensor(path, tensor.name, to.type));
        done += bytes.length;
        onProgress?.(done, total);
        return bytes;
      },
    };
    return { name: tensor.name, shape: tensor.shape, type: to.type, data };
  });
  const total = tensors.reduce((sum, { data }) => sum + data.length, 0);
  await writeGguf(output, await metadataOf(path, info, FILE_TYPES[type]), tensors);
  return { bytes: total };
}

function ours<T>(answer: Promise<T>): Promise<T> {
  return answer.catch((error: unknown) => Promise.reject(fromNative(error)));
}

function targetOf({ shape, type }: TensorInfo, asked: ConvertType) {
  const columns = shape[0]!;
  const isVector = shape.length === 1 && type in CONVERT_TYPES;
  const fits = columns % CONVERT_TYPES[asked].elements === 0;
  const { number, elements, bytes } =
    CONVERT_TYPES[isVector ? (type as ConvertType) : fits ? asked : 'F16'];
  const all = shape.reduce((product, size) => product * size, 1);
  return { type: number, length: (all / elements) * bytes };
}

/** The entries as the file has them, but for the type of its numbers. */
async function metadataOf(path: string, info: GgufInfo, fileType: number) {
  const { metadataOffset, metadataEnd } = info;
  const file = await openRegular(path);
  try {
    const bytes = Buffer.alloc(metadataEnd);
    await file.read(bytes, 0, metadataEnd, 0);
    const entries = Number(bytes.readBigUInt64LE(metadataOffset - 8));
    const copied = bytes.subarray(metadataOffset);
    const at = valueOf(copied, entries, 'general.file_type');
    if (at !== undefined && copied.readUInt32LE(at - 4) === U32) copied.writeUInt32LE(fileType, at);
    const alignment = valueOf(copied, entries, 'general.alignment');
    if (alignment !== undefined) setAlignment(copied, alignment);
    return { entries, bytes: copied };
  } finally {
    await file.close();
  }
}

const U32 = 4;
const STRING = 8;
const ARRAY = 9;
/** Bytes of a value, by GGUF's number of its type. */
const SIZES: Record<number, number> = {
  ...{ 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 },
};

/** That of the file that is written. */
function setAlignment(metadata: Buffer, at: number): void {
  if (metadata.readUInt32LE(at - 4) !== U32)
    throw new CachalotError('file_bad_alignment', 'general.alignment is no 32-bit number');
  metadata.writeUInt32LE(ALIGNMENT, at);
}

/** Where the value of a key begins, in metadata that the loader has checked. */
function valueOf(bytes: Buffer, entries: number, wanted: string): number | undefined {
  const reader = new Reader(bytes);
  for (let i = 0; i < entries; i++) {
    const key = reader.text();
    const type = reader.u32();
    if (key === wanted) return reader.at;
    reader.skip(type);
  }
  return undefined;
}

class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u32(): number {
    this.at += 4;
    return this.#bytes.readUInt32LE(this.at - 4);
  }

  text(): string {
    const length = this.u64();
    this.at += length;
    return this.#bytes.toString('utf8', this.at - length, this.at);
  }

  /** A value of a type. */
  skip(type: number): void {
    if (type === ARRAY) {
      const element = this.u32();
      const n = this.u64();
      for (let i = 0; i < n; i++) this.skip(element);
    } else if (type === STRING) {
      const length = this.u64();
      this.at += length;
    } else this.at += SIZES[type]!;
  }

  private u64(): number {
    this.at += 8;
    return Number(this.#bytes.readBigUInt64LE(this.at - 8));
  }
}
