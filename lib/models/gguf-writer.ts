/** Writes GGUF files, version 3. */
import { open } from 'node:fs/promises';

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

const ALIGNMENT = 32;

export async function writeGguf(
  path: string,
  metadata: Record<string, GgufField>,
  tensors: readonly GgufTensorData[],
): Promise<void> {
  const header = ggufHeader(metadata, tensors);
  const file = await open(path, 'w');
  try {
    await file.write(padded(header));
    for (const tensor of tensors) await file.write(padded(tensor.data));
  } finally {
    await file.close();
  }
}

function padded(bytes: Uint8Array): Uint8Array {
  const size = Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT;
  if (size === bytes.length) return bytes;
  const result = new Uint8Array(size);
  result.set(bytes);
  return result;
}

export function ggufHeader(
  metadata: Record<string, GgufField>,
  tensors: readonly GgufTensorData[],
): Uint8Array {
  const parts: Buffer[] = [
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    u64(Object.keys(metadata).length),
  ];
  for (const [key, field] of Object.entries(metadata)) parts.push(text(key), value(field));
  let offset = 0;
  for (const { name, shape, type, data } of tensors) {
    parts.push(text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(offset));
    offset += Math.ceil(data.length / ALIGNMENT) * ALIGNMENT;
  }
  return Buffer.concat(parts);
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
