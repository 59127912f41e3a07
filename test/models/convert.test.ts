/** Models with their weights in another type of numbers. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

import { Engine } from '../../lib/index.js';
import { convertModel } from '../../lib/models/convert.js';
import type { ConvertType } from '../../lib/models/convert.js';
import { writeGguf } from '../../lib/models/formats/gguf-writer.js';
import { native } from '../../lib/native.js';
import { text, u32 } from '../fixtures/gguf-bytes.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { WEIGHT_TYPES, dequantize } from '../reference/dequantize.js';

/** Where a tensor begins in a file, and its type. */
async function placeOf(path: string, name: string) {
  const { tensors, dataOffset } = await native().readGguf(path);
  let at = dataOffset;
  for (const { name: own, type, bytes } of tensors) {
    if (own === name) return { at, type, bytes };
    at += Math.ceil(bytes / 32) * 32;
  }
  throw new Error(name);
}

/** The values of a tensor, by the float64 reference. */
async function valuesOf(path: string, name: string): Promise<Float64Array> {
  const { at, type, bytes } = await placeOf(path, name);
  const format = WEIGHT_TYPES.find((one) => one.name === type)!;
  return dequantize(format, readFileSync(path).subarray(at, at + bytes));
}

const largest = (values: number[]) => values.reduce((a, b) => Math.max(a, b), -Infinity);
const MATRIX = 'blk.0.ffn_down.weight';
const QUANTIZED = WEIGHT_TYPES.map(({ name }) => name).filter((name) => !/^B?F\d/.test(name));

test.each(QUANTIZED)('%s becomes F32 as the reference has it', async (type) => {
  const { path } = await writeTinyModel({ type });
  const output = temporaryPath('f32.gguf');
  await convertModel(path, output, { type: 'F32' });
  const [given, wanted] = [await valuesOf(output, MATRIX), await valuesOf(path, MATRIX)];
  expect(given).toHaveLength(wanted.length);
  const errors = Array.from(given, (value, i) => Math.abs(value - wanted[i]!));
  expect(largest(errors)).toBeLessThan(1e-6);
});

test.each([
  ['F16', 2 ** -11],
  ['BF16', 2 ** -8],
  ['Q8_0', 0.5 / 127],
] as const)('F32 becomes %s to rounding, and what reads it stays', async (type, step) => {
  const { path } = await writeTinyModel({ type: 'F32' });
  const output = temporaryPath('converted.gguf');
  const seen: number[] = [];
  const options = { type: type as ConvertType, onProgress: (done: number) => void seen.push(done) };
  const { bytes } = await convertModel(path, output, options);
  expect(seen.at(-1)).toBe(bytes);
  const [given, wanted] = [await valuesOf(output, MATRIX), await valuesOf(path, MATRIX)];
  // The scale of a block of Q8_0 is itself rounded to F16; F16 has no finer steps than 2^-24.
  const excess = Array.from(wanted, (value, i) => {
    const block = wanted.subarray(i - (i % 32), i - (i % 32) + 32);
    const most = type === 'Q8_0' ? Math.max(...block.map(Math.abs)) : Math.abs(value);
    return Math.abs(given[i]! - value) - 1.15 * step * most;
  });
  expect(largest(excess)).toBeLessThan(2 ** -24);
  const [before, after] = await Promise.all([path, output].map((one) => native().readGguf(one)));
  expect({ ...after!.metadata, 'general.file_type': 0 }).toEqual({
    ...before!.metadata,
    'general.file_type': 0,
  });
  const norms = ({ tensors }: typeof before & object) =>
    tensors.filter(({ shape }) => shape.length === 1);
  expect(norms(after!)).toEqual(norms(before!));
  await using engine = await Engine.load(output);
  expect(engine.tokenize('the inn')).not.toHaveLength(0);
  expect((await engine.complete('the inn', { maxTokens: 3 }).result).tokens).not.toHaveLength(0);
});

test('the largest, smallest and oddest numbers are rounded as IEEE says', async () => {
  const { path } = await writeTinyModel({ type: 'F32' });
  const { at } = await placeOf(path, MATRIX);
  const bytes = readFileSync(path);
  const odd = [0, -0, 65504, 65519, -65519, 2 ** -24, 2 ** -25, 2 ** -26];
  odd.push(2 ** -25 * 1.0001, 2 ** -14, 2 ** -14 - 2 ** -25, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 1e-40);
  odd.forEach((value, i) => bytes.writeFloatLE(value, at + 4 * i));
  const changed = temporaryPath('odd.gguf');
  writeFileSync(changed, bytes);
  const half = Buffer.from(await native().convertTensor(changed, MATRIX, 1));
  expect(odd.map((_, i) => half.readUInt16LE(2 * i).toString(16))).toEqual([
    ...['0', '8000', '7bff', '7bff', 'fbff', '1', '0', '0'],
    ...['1', '400', '400', '3c00', '3c02', '0'],
  ]);
});

test('a number that the type cannot hold is refused, and the tensor is named', async () => {
  const { path } = await writeTinyModel({ type: 'F32' });
  const { at } = await placeOf(path, MATRIX);
  const bytes = readFileSync(path);
  const output = temporaryPath('out.gguf');
  const wrong = (value: number) => {
    bytes.writeFloatLE(value, at);
    const changed = temporaryPath('wrong.gguf');
    writeFileSync(changed, bytes);
    return changed;
  };
  for (const [value, type] of [
    ...([NaN, Infinity, -Infinity].flatMap((value) => [
      [value, 'F16'],
      [value, 'BF16'],
      [value, 'Q8_0'],
    ]) as [number, ConvertType][]),
    [65520, 'F16'],
    [1e9, 'Q8_0'],
    [3.4e38, 'BF16'],
  ] as [number, ConvertType][])
    await expect(convertModel(wrong(value), output, { type })).rejects.toMatchObject({
      code: 'not_a_number',
      message: expect.stringContaining(MATRIX) as string,
    });
  expect(existsSync(output)).toBe(false);
});

test.each([8, 16, 64, 128, 4096])('a file whose tensors are aligned to %i bytes', async (size) => {
  const { path: plain } = await writeTinyModel({ type: 'F32' });
  const info = await native().readGguf(plain);
  const bytes = readFileSync(plain);
  let at = info.dataOffset;
  const tensors = info.tensors.map(({ name, shape, bytes: length }) => {
    const data = bytes.subarray(at, at + length);
    at += Math.ceil(length / 32) * 32;
    return { name, shape, type: 0, data };
  });
  const entry = Buffer.concat([text('general.alignment'), u32(4), u32(size)]);
  const metadata = {
    entries: Object.keys(info.metadata).length + 1,
    bytes: Buffer.concat([bytes.subarray(info.metadataOffset, info.metadataEnd), entry]),
  };
  const path = temporaryPath('aligned.gguf');
  await writeGguf(path, metadata, tensors, size);
  expect((await native().readGguf(path)).metadata['general.alignment']).toBe(size);
  const output = temporaryPath('aligned.gguf');
  await convertModel(path, output, { type: 'F16' });
  expect((await native().readGguf(output)).metadata['general.alignment']).toBe(32);
  const logits = async (file: string) => {
    await using engine = await Engine.load(file, { kv: { format: 'f32' } });
    return (await engine.logits([3, 4, 5]))[0]!;
  };
  const [given, wanted] = [await logits(output), await logits(path)];
  given.forEach((value, i) => expect(Math.abs(value - wanted[i]!)).toBeLessThan(0.05));
});

test('what cannot be converted is refused, and leaves no file', async () => {
  const { path } = await writeTinyModel();
  const output = temporaryPath('none.gguf');
  const stop = AbortSignal.abort();
  const stopped = convertModel(path, output, { type: 'F16', signal: stop });
  await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
  expect(existsSync(output)).toBe(false);
  await expect(convertModel(`${path}.none`, output, { type: 'F16' })).rejects.toMatchObject({
    code: 'model_not_found',
  });
  const to = (name: string, type: number) => native().convertTensor(path, name, type);
  await expect(to('no such', 1)).rejects.toMatchObject({ code: 'invalid_argument' });
  await expect(to('output_norm.weight', 12)).rejects.toMatchObject({ code: 'unsupported_type' });
  await expect(to('output_norm.weight', 999)).rejects.toMatchObject({ code: 'invalid_argument' });
});
