import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { Engine, pull } from '../../lib/index.js';
import { cachalot } from '../cli/cachalot.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import { useStubHub } from '../fixtures/stub-server.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

describe('what was fetched and is damaged', () => {
  const hub = useStubHub();
  let model: Buffer;
  beforeAll(async () => void (model = readFileSync((await writeTinyModel()).path)));
  const serve = (bytes = model) => hub().files.set('/o/r/resolve/main/m.gguf', { bytes });

  test('says how to get rid of it; by force it is replaced by a sound one', async () => {
    serve();
    const { path } = await pull('hf:o/r/m.gguf');
    writeFileSync(path, model.subarray(0, 2000));
    await expect(Engine.load('hf:o/r/m.gguf')).rejects.toMatchObject({
      code: expect.stringMatching(/^file_/) as string,
      message: expect.stringContaining('`cachalot pull --force hf:o/r/m.gguf`') as string,
    });
    expect(await pull('hf:o/r/m.gguf')).toMatchObject({ cached: true });
    expect(await pull('hf:o/r/m.gguf', { force: true })).toMatchObject({ cached: false });
    expect(readFileSync(path).equals(model)).toBe(true);
  });

  test('a file of the user is not to be fetched anew', async () => {
    const { path } = await writeTinyModel();
    writeFileSync(path, model.subarray(0, 2000));
    await expect(Engine.load(path)).rejects.toMatchObject({
      message: expect.not.stringContaining('--force') as string,
    });
  });

  test('stays as it is when the new one is not whole', async () => {
    serve();
    const { path } = await pull('hf:o/r/m.gguf');
    serve(Buffer.from('<html>'));
    await expect(pull('hf:o/r/m.gguf', { force: true })).rejects.toMatchObject({
      code: 'download_corrupt',
    });
    expect(readFileSync(path).equals(model)).toBe(true);
    expect(readdirSync(dirname(path))).toEqual(['m.gguf']);
  });

  test('a folder, too: it is replaced when every file of the new one is there', async () => {
    const source = writeHubModel({ shape: { layers: 1 }, shards: 2 });
    for (const name of readdirSync(source.path))
      hub().files.set(`/o/r/resolve/main/${name}`, {
        bytes: readFileSync(join(source.path, name)),
      });
    const { path } = await pull('hf:o/r');
    writeFileSync(join(path, 'tokenizer.json'), '{');
    writeFileSync(join(path, 'alone-Q8_0.gguf'), 'GGUF'); // pulled by itself, of the same repository
    const last = '/o/r/resolve/main/model-00002-of-00002.safetensors';
    const whole = hub().files.get(last)!;
    hub().files.set(last, { ...whole, status: 404 });
    await expect(pull('hf:o/r', { force: true })).rejects.toMatchObject({
      code: 'download_failed',
    });
    expect(readFileSync(join(path, 'tokenizer.json'), 'utf8')).toBe('{');
    hub().files.set(last, whole);
    expect(await pull('hf:o/r', { force: true })).toMatchObject({ path, cached: false });
    const sound = readFileSync(join(source.path, 'tokenizer.json'), 'utf8');
    expect(readFileSync(join(path, 'tokenizer.json'), 'utf8')).toBe(sound);
    expect(readdirSync(dirname(path))).toEqual(['r']);
    expect(readFileSync(join(path, 'alone-Q8_0.gguf'), 'utf8')).toBe('GGUF');
    await (await Engine.load('hf:o/r')).dispose();
  });

  test('on the command line: --force', async () => {
    serve();
    const { path } = await pull('hf:o/r/m.gguf');
    writeFileSync(path, 'damaged');
    const environment = { ...process.env } as Record<string, string>;
    const { code, stdout } = await cachalot(
      ['pull', '--force', 'hf:o/r/m.gguf', '--json'],
      '',
      environment,
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ cached: false, bytes: model.length });
  });
});
