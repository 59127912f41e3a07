/** A model's file that changes while it is loaded: the answers stay right, or there is an error; never a crash, never other answers. */
import { execFile } from 'node:child_process';
import {
  closeSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { Engine } from '../../lib/index.js';
import { ggufHeader } from '../../lib/models/formats/gguf-writer.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import { writeSparse } from '../fixtures/sparse-file.js';
import { writeSplitModel } from '../fixtures/split-model.js';
import { tinyMetadata, tinyVocabulary, writeTinyModel } from '../fixtures/tiny-model.js';

const root = join(__dirname, '..', '..');
const PROMPT = [3, 1, 4, 1, 5, 9, 2, 6];

/** Written long ago: clocks of file systems may give two writes of one moment the same time. */
function settle(path: string): string {
  utimesSync(path, new Date(2020, 1, 1), new Date(2020, 1, 1));
  return path;
}

const tiny = async (type: string) => settle((await writeTinyModel({ type })).path);

/** Other bytes at the end of a file of the same size. */
function overwrite(path: string): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(64, 0x3c), 0, 64, statSync(path).size - 64);
  closeSync(file);
}

const logitsOf = async (engine: Engine) => Array.from((await engine.logits(PROMPT))[0]!);

/** What a script prints that has `engine`, loaded from `path` in a process of its own. */
async function inProcess(path: string, script: string, options: object = {}): Promise<unknown> {
  const code = `
    const { Engine } = require('./dist/index.js');
    const fs = require('node:fs');
    const path = ${JSON.stringify(path)};
    const logits = async (engine) => Array.from((await engine.logits(${JSON.stringify(PROMPT)}))[0]);
    const codeOf = (promise) => promise.then(() => 'accepted', (error) => error.code);
    const load = (more) => Engine.load(path, { ...${JSON.stringify(options)}, ...more });
    (async () => { ${script} })().then((result) => console.log(JSON.stringify(result)));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', code], {
    cwd: root,
    timeout: 60_000,
  });
  return JSON.parse(stdout);
}

const CUT_OFF = `
  const engine = await load();
  const before = await logits(engine);
  fs.truncateSync(path, 0);
  engine.clearCache();
  const after = await logits(engine).catch((error) => error.code);
  return { after, same: JSON.stringify(after) === JSON.stringify(before) };`;

describe('a model of few floats', () => {
  test('is in memory: cutting off its file changes nothing', async () => {
    const path = await tiny('F32');
    expect(await inProcess(path, CUT_OFF)).toMatchObject({ same: true });
  });

  test('is in memory: overwriting its file changes nothing', async () => {
    const path = await tiny('BF16');
    await using engine = await Engine.load(path);
    const before = await logitsOf(engine);
    writeFileSync(path, Buffer.alloc(statSync(path).size, 1));
    engine.clearCache();
    expect(await logitsOf(engine)).toEqual(before);
    expect(engine.description.weights).toBe('in memory');
  });

  test('is in memory also if it is a folder of safetensors', async () => {
    const { path } = writeHubModel();
    const file = join(path, 'model.safetensors');
    const script = CUT_OFF.replace('truncateSync(path', `truncateSync(${JSON.stringify(file)}`);
    expect(await inProcess(path, script)).toMatchObject({ same: true });
  });
});

describe('a model of which something is read in its file', () => {
  test.each(['Q8_0', 'Q4_K'])(
    '(%s) that is overwritten fails every request: those that run, that wait, and later ones',
    async (type) => {
      const path = await tiny(type);
      await using engine = await Engine.load(path);
      overwrite(path);
      const failed = {
        name: 'CachalotError',
        code: 'model_changed',
        message: expect.stringContaining(path) as string,
      };
      const requests = [5, 6, 7].map((token) =>
        engine.completeTokens([...PROMPT, token], { maxTokens: 40 }),
      );
      for (const { result } of requests) await expect(result).rejects.toMatchObject(failed);
      await expect(engine.logits(PROMPT)).rejects.toMatchObject(failed);
    },
  );

  test('that is cut off fails with a code, and the process lives', async () => {
    const path = await tiny('Q8_0');
    expect(await inProcess(path, CUT_OFF)).toMatchObject({ after: 'model_changed' });
  });

  test('that has many floats is watched: cut off or overwritten, it fails with a code', async () => {
    const cut = await inProcess(manyFloats(), CUT_OFF, { stepTokens: 16 });
    expect(cut).toMatchObject({ after: 'model_changed' });
    const script = CUT_OFF.replace('fs.truncateSync(path, 0)', "fs.appendFileSync(path, 'x')");
    const grown = await inProcess(manyFloats(), script, { stepTokens: 16 });
    expect(grown).toMatchObject({ after: 'model_changed' });
  }, 60_000);

  test('is told of changes in any part that is read, and in no other', async () => {
    const place = (name: string) =>
      name.startsWith('token_embd') ? 1 : name.includes('blk') ? 2 : 0;
    const { paths } = writeSplitModel({ type: 'Q8_0', place });
    paths.forEach(settle);
    await using engine = await Engine.load(paths[0]!);
    const before = await logitsOf(engine);
    overwrite(paths[2]!); // was packed, and is needed no longer
    engine.clearCache();
    expect(await logitsOf(engine)).toEqual(before);
    overwrite(paths[1]!);
    await expect(logitsOf(engine)).rejects.toMatchObject({
      code: 'model_changed',
      message: expect.stringContaining(paths[1]!) as string,
    });
  });

  test.each<[string, (path: string) => void]>([
    ['renamed', (path) => renameSync(path, `${path}.old`)],
    ['deleted', (path) => rmSync(path)],
    [
      'replaced by another file',
      (path) => {
        writeFileSync(`${path}.new`, Buffer.alloc(1000));
        renameSync(`${path}.new`, path);
      },
    ],
  ])('that is %s goes on', async (_, change) => {
    const path = await tiny('Q8_0');
    await using engine = await Engine.load(path);
    const before = await logitsOf(engine);
    change(path);
    engine.clearCache();
    expect(await logitsOf(engine)).toEqual(before);
  });
});

describe('while a model is loaded', () => {
  // Whenever the change comes - the listener hears of the loading a little later - nobody gets an answer.
  const DURING = `
    let change = () => CHANGE;
    const onProgress = ({ phase }) => { if (phase === 'load') { change(); change = () => {}; } };
    const loading = load({ onProgress });
    const asked = loading.then(async (engine) => { change(); return logits(engine); });
    return codeOf(asked);`;

  test('what overwrites its file makes an error', async () => {
    const path = await tiny('Q8_0');
    const script = DURING.replace('CHANGE', "fs.appendFileSync(path, 'x')");
    expect(await inProcess(path, script)).toBe('model_changed');
  });

  test('what cuts off its file makes an error, and the process lives', async () => {
    const path = await tiny('Q8_0');
    const script = DURING.replace('CHANGE', 'fs.truncateSync(path, 0)');
    expect(await inProcess(path, script)).toMatch(/^(model_changed|file_truncated)$/);
  });
});

test('a layout that is cut off while it is mapped fails with a code, and the process lives', async () => {
  const path = await tiny('Q8_0');
  const layout = `${path}.layout`;
  const script = `
    const { EngineCore } = require('./dist/engine/engine-core.js');
    const { evaluate } = require('./dist/engine/evaluate.js');
    const { readLoadOptions } = require('./dist/options/load-options.js');
    const { nativeOptionsOf } = require('./dist/engine/native-options.js');
    const options = nativeOptionsOf(readLoadOptions({}));
    const layoutPath = ${JSON.stringify(layout)};
    await (await EngineCore.load(path, options)).native.saveLayout(layoutPath);
    const core = await EngineCore.load(path, { ...options, layoutPath });
    const { weights } = core.native.description();
    const [tokens, rows] = [Int32Array.of(3, 1, 4), Int32Array.of(2)];
    const { plain } = require('./dist/layout/layout.js');
    const ask = () => evaluate({ core, namespace: '' }, { kind: 'logits', content: plain(tokens), rows });
    const before = await codeOf(ask());
    fs.truncateSync(layoutPath, 5000);
    return { weights, before, after: await codeOf(ask()) };`;
  expect(await inProcess(path, script)).toEqual({
    weights: 'mapped',
    before: 'accepted',
    after: 'model_changed',
  });
});

/** Zeros in a hole of more than 256 MiB: only the norms would be read into memory of their own. */
function manyFloats(): string {
  const shape = { width: 64, ffn: 360_000, heads: 4, kvHeads: 2, layers: 1, context: 64 };
  const vocabulary = tinyVocabulary();
  const n = vocabulary.tokens.length;
  const tensors = [
    ['token_embd', 64, n],
    ['output_norm', 64],
    ['output', 64, n],
    ['blk.0.attn_norm', 64],
    ['blk.0.attn_q', 64, 64],
    ['blk.0.attn_k', 64, 32],
    ['blk.0.attn_v', 64, 32],
    ['blk.0.attn_output', 64, 64],
    ['blk.0.ffn_norm', 64],
    ['blk.0.ffn_gate', 64, 360_000],
    ['blk.0.ffn_up', 64, 360_000],
    ['blk.0.ffn_down', 360_000, 64],
  ].map(([name, ...shape]) => {
    const dims = shape as number[];
    const length = 4 * dims.reduce((a, b) => a * b, 1);
    const data = { length, make: () => new Uint8Array(length) };
    return { name: `${String(name)}.weight`, shape: dims, type: 0, data };
  });
  const header = ggufHeader(tinyMetadata(shape, vocabulary), tensors);
  const padded = (length: number) => Math.ceil(length / 32) * 32;
  const bytes = tensors.reduce((sum, { data }) => sum + padded(data.length), 0);
  return settle(writeSparse('floats.gguf', [header, padded(header.length) - header.length, bytes]));
}
