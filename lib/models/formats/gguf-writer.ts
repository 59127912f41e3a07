/** Writes GGUF files, version 3. */
import type { FileHandle } from 'node:fs/promises';

import { writeWhole } from '../../files/write-whole.js';

export type GgufField =
  | { u32: number }
  | { f32: number }
  | { bool: boolean }
  | { string: string }
  | { strings: readonly string[] }
  | { f32s: readonly number[] }
  | { i32s: readonly number[] };

export interface GgufTensorData {
  name: string;
  /** Fastest-running dimension first. */
  shape: readonly number[];
  /** GGUF's number of the element type: 0 is F32. */
  type: number;
  data: Uint8Array;
}

/** A tensor that is made while it is written: models may be larger than memory. */
export interface LazyTensorData extends Omit<GgufTensorData, 'data'> {
  data: { length: number; make: () => Uint8Array | Promise<Uint8Array> };
}

/** Of tensors, in the files that are written. */
export const ALIGNMENT = 32;
const WRITE_BYTES = 2 ** 30; // systems write at most 2 GiB at once

/** An existing file stays until the new one is complete. Throws io. */
export async function writeGguf(
  path: string,
  metadata: Metadata,
  tensors: readonly (GgufTensorData | LazyTensorData)[],
  alignment = ALIGNMENT,
): Promise<void> {
  const header = ggufHeader(metadata, tensors, alignment);
  await writeWhole(path, async (file) => {
    await writePadded(file, header, alignment);
    for (const { data } of tensors)
      await writePadded(file, 'make' in data ? await data.make() : data, alignment);
  });
}

async function writePadded(file: FileHandle, bytes: Uint8Array, alignment: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += WRITE_BYTES)
    await file.writeFile(bytes.subarray(at, at + WRITE_BYTES));
  await file.writeFile(new Uint8Array(paddingOf(bytes.length, alignment)));
}

function paddingOf(length: number, alignment: number): number {
  return (alignment - (length % alignment)) % alignment;
}

/** Entries, or so many of them as another file holds them. */
export type Metadata = Record<string, GgufField> | { entries: number; bytes: Uint8Array };

export function ggufHeader(
  metadata: Metadata,
  tensors: readonly (GgufTensorData | LazyTensorData)[],
  alignment = ALIGNMENT,
): Uint8Array {
  const parts: Buffer[] = [
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    ...entriesOf(metadata),
  ];
  let offset = 0;
  for (const { name, shape, type, data } of tensors) {
    parts.push(text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(offset));
    offset += data.length + paddingOf(data.length, alignment);
  }
  return Buffer.concat(parts);
}

/** Their number, and the entries. */
function entriesOf(metadata: Metadata): Buffer[] {
  if (isCopied(metadata)) return [u64(metadata.entries), Buffer.from(metadata.bytes)];
  const entries = Object.entries(metadata);
  return [u64(entries.length), ...entries.flatMap(([key, field]) => [text(key), value(field)])];
}

function isCopied(metadata: Metadata): metadata is { entries: number; bytes: Uint8Array } {
  return metadata['bytes'] instanceof Uint8Array;
}

function value(field: GgufField): Buffer {
  if ('u32' in field) return Buffer.concat([u32(4), u32(field.u32)]);
  if ('f32' in field) return Buffer.concat([u32(6), f32(field.f32)]);
  if ('bool' in field) return Buffer.concat([u32(7), Buffer.from([field.bool ? 1 : 0])]);
  if ('string' in field) return Buffer.concat([u32(8), text(field.string)]);
  if ('strings' in field) return array(8, field.strings.map(text));
  if ('f32s' in field) return array(6, field.f32s.map(f32));
  return array(5, field.i32s.map(u32));
}

function array(type: number, items: Buffer[]): Buffer {
  return Buffer.concat([u32(9), u32(type), u64(items.length), ...items]);
}

function text(string: string): Buffer {
  const bytes = Buffer.from(string, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
}

function u32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number >>> 0);
  return bytes;
}

function u64(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(number));
  return bytes;
}

function f32(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(number);
  return bytes;
}
