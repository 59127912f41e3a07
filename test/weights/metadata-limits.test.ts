/** Headers that would take more memory than they have bytes: counted as a whole, and read only as far as somebody asks. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Engine } from '../../lib/index.js';
import { ggufHeader } from '../../lib/models/formats/gguf-writer.js';
import { inspectModel } from '../../lib/models/inspect.js';
import { native } from '../../lib/native.js';
import type { GgufOptions } from '../../lib/native.js';
import { cachalot } from '../cli/cachalot.js';
import { text, u32, u64 } from '../fixtures/gguf-bytes.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import { writeSparse } from '../fixtures/sparse-file.js';
import {
  temporaryPath,
  tinyMetadata,
  tinyVocabulary,
  writeTinyModel,
} from '../fixtures/tiny-model.js';

type Piece = Uint8Array | number;

/** A file without tensors; zeros of an entry may be a hole. */
const withEntries = (...entries: Piece[][]) =>
  writeSparse('entries.gguf', [
    Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(entries.length)]),
    ...entries.flat(),
  ]);

/** So many empty strings: 8 bytes each in the file, and none on the disk. */
const emptyStrings = (key: string, count: number): Piece[] => [
  Buffer.concat([text(key), u32(9), u32(8), u64(count)]),
  8 * count,
];

const zeros = (key: string, bytes: number): Piece[] => [
  Buffer.concat([text(key), u32(8), u64(bytes)]),
  bytes,
];

const failure = (path: string, options?: GgufOptions) =>
  native()
    .readGguf(path, options)
    .then(
      () => undefined,
      ({ code, message }: { code: string; message: string }) => ({ code, message }),
    );

describe('metadata', () => {
  test('have a limit for the elements of all lists together, whoever asks for them', async () => {
    const path = withEntries(emptyStrings('first', 5_000_000), emptyStrings('second', 5_000_000));
    const expected = {
      code: 'file_bad_metadata',
      message: expect.stringMatching(/'second' is an array of 5000000 .* the 8388608 /) as string,
    };
    expect(await failure(path)).toEqual(expected);
    expect(await failure(path, { keys: ['none of them'] })).toEqual(expected);
    await expect(Engine.load(path)).rejects.toMatchObject(expected);
  });

  test('have a limit for the bytes of all texts together', async () => {
    const path = withEntries(zeros('first', 100 << 20), zeros('second', 100 << 20));
    expect(await failure(path, { keys: [] })).toEqual({
      code: 'file_bad_metadata',
      message: expect.stringMatching(/'second' goes beyond the 134217728 bytes/) as string,
    });
  });

  test('have a limit for the number of keys', async () => {
    const entry = (_: unknown, i: number) =>
      Buffer.concat([text(`k${i}`), u32(7), Buffer.from([1])]);
    const entries = (length: number) => [Buffer.concat(Array.from({ length }, entry))];
    const file = (count: number) =>
      writeSparse('keys.gguf', [
        Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(count)]),
        ...entries(count),
      ]);
    expect(await failure(file(65_536))).toBeUndefined();
    expect(await failure(file(65_537))).toEqual({
      code: 'file_bad_metadata',
      message: expect.stringContaining('65537 metadata entries; at most 65536') as string,
    });
  });

  test('of a list in a list are refused by the name of the list', async () => {
    const nested = Array.from({ length: 10_000 }, () => Buffer.concat([u32(9), u64(1)]));
    const path = withEntries([Buffer.concat([text('deep'), u32(9), ...nested, u32(4), u64(0)])]);
    expect(await failure(path)).toEqual({
      code: 'file_bad_metadata',
      message: expect.stringContaining("'deep' is an array of arrays") as string,
    });
  });

  test('become JavaScript values only where they are asked for', async () => {
    const path = withEntries(
      emptyStrings('junk', 3_000_000),
      [Buffer.concat([text('wanted.list'), u32(9), u32(8), u64(2), text('a'), text('é')])],
      [Buffer.concat([text('wanted.name'), u32(8), text('name')])],
      [Buffer.concat([text('other'), u32(4), u32(5)])],
    );
    const { metadata } = await native().readGguf(path, { keys: ['wanted.'] });
    expect(metadata).toEqual({ 'wanted.list': ['a', 'é'], 'wanted.name': 'name' });
  });

  test('have the beginning of lists that are longer than what was asked for', async () => {
    const f32s = Float32Array.from({ length: 9 }, (_, i) => i / 2);
    const path = withEntries(
      emptyStrings('strings', 9),
      [Buffer.concat([text('floats'), u32(9), u32(6), u64(9), new Uint8Array(f32s.buffer)])],
      emptyStrings('short', 8),
    );
    const { metadata } = await native().readGguf(path, { longestList: 8 });
    expect(metadata).toEqual({
      strings: { type: 'string', length: 9, first: ['', '', '', ''] },
      floats: { type: 'f32', length: 9, first: Float64Array.of(0, 0.5, 1, 1.5) },
      short: Array.from({ length: 8 }, () => ''),
    });
  });

  test('of a model may have a list that nobody needs: it loads, and is shown in short', async () => {
    const model = await writeTinyModel();
    const shape = { width: 64, ffn: 128, heads: 4, kvHeads: 2, layers: 2, context: 512 };
    const tensors = [...model.tensors.values()];
    const sound = Buffer.from(ggufHeader(tinyMetadata(shape, tinyVocabulary()), tensors));
    const n = Object.keys(tinyMetadata(shape, tinyVocabulary())).length;
    const junk = emptyStrings('junk', 3_000_000);
    const header = [
      Buffer.concat([sound.subarray(0, 16), u64(n + 1)]),
      ...junk,
      sound.subarray(24),
    ];
    const length = sound.length + (junk[0] as Buffer).length + (junk[1] as number);
    const padding = (bytes: number) => (32 - (bytes % 32)) % 32;
    const path = writeSparse('junk.gguf', [
      ...header,
      padding(length),
      ...tensors.flatMap(({ data }) => [data, padding(data.length)]),
    ]);
    await using engine = await Engine.load(path);
    await using whole = await Engine.load(model.path);
    expect(await engine.logits([3, 1, 4])).toEqual(await whole.logits([3, 1, 4]));
    const { metadata } = await inspectModel(path);
    expect(metadata).toMatchObject({ junk: { type: 'string', length: 3_000_000 } });
    const { stdout } = await cachalot(['inspect', path]);
    expect(stdout).toContain('junk = ["", "", "", "", ... 3000000 in all]');
  }, 30_000);

  test('of 128K tokens and 280K merges are read as they are', async () => {
    const strings = (n: number, of: (i: number) => string) =>
      Array.from({ length: n }, (_, i) => of(i));
    const tokens = strings(128_256, (i) => `token ${i}`);
    const merges = strings(280_147, (i) => `left${i} right${i}`);
    const path = temporaryPath('vocabulary.gguf');
    writeFileSync(
      path,
      ggufHeader(
        {
          'tokenizer.ggml.tokens': { strings: tokens },
          'tokenizer.ggml.merges': { strings: merges },
          'tokenizer.ggml.token_type': { i32s: tokens.map((_, i) => i % 6) },
        },
        [],
      ),
    );
    const { metadata } = await native().readGguf(path, { keys: ['tokenizer.ggml.'] });
    const same = (key: string, list: string[]) =>
      JSON.stringify(metadata[`tokenizer.ggml.${key}`]) === JSON.stringify(list);
    expect([same('tokens', tokens), same('merges', merges)]).toEqual([true, true]);
    expect(metadata['tokenizer.ggml.token_type']).toHaveLength(tokens.length);
  });
});

describe('JSON', () => {
  const codeOf = (path: string) =>
    native()
      .inspectModel(path)
      .then(
        () => undefined,
        ({ code, message }: { code: string; message: string }) => ({ code, message }),
      );

  test.each([
    ['nested 100,000 deep', '['.repeat(100_000), /nested at most 32 deep/],
    ['objects nested 100,000 deep', '{"a":'.repeat(100_000), /nested at most 32 deep/],
    ['of a million values', `[${'0,'.repeat(2 ** 20)}0]`, /at most 1048576 values in all/],
  ])('%s is refused in config.json and in the header of safetensors', async (_, json, why) => {
    const { path } = writeHubModel({ shape: { layers: 1 } });
    const refused = (file: string) => ({
      code: 'file_bad_metadata',
      message: expect.stringMatching(new RegExp(`${file}.*${why.source}`)) as string,
    });
    const config = readFileSync(join(path, 'config.json'), 'utf8');
    writeFileSync(join(path, 'config.json'), config.replace('{', `{"extra":${json},`));
    expect(await codeOf(path)).toEqual(refused('config\\.json'));
    const header = `{"extra":${json}`.padEnd(4 * Math.ceil((json.length + 9) / 4));
    writeFileSync(
      join(path, 'model.safetensors'),
      Buffer.concat([u64(header.length), Buffer.from(header)]),
    );
    expect(await codeOf(path)).toEqual(refused('model\\.safetensors'));
  });

  test('of a config.json larger than any is refused before it is read', async () => {
    const { path } = writeHubModel({ shape: { layers: 1 } });
    writeFileSync(join(path, 'config.json'), readFileSync(writeSparse('big.json', [17 << 20])));
    expect(await codeOf(path)).toEqual({
      code: 'file_bad_metadata',
      message: expect.stringContaining('at most 16777216 are allowed') as string,
    });
  });
});
