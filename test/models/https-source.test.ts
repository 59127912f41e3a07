import { readFileSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';

import { Engine, pull } from '../../lib/index.js';
import { inspectModel } from '../../lib/models/inspect.js';
import { useStubHub } from '../fixtures/stub-server.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import { cachalot } from '../cli/cachalot.js';

describe('a model behind an address', () => {
  const server = useStubHub();
  let model: Buffer;
  beforeAll(async () => void (model = readFileSync((await writeTinyModel()).path)));
  const serve = (path: string, extra: object = {}) => {
    server().files.set(path, { bytes: model, ...extra });
    return `${server().url}${path}`;
  };

  test('is fetched once, checked, and runs', async () => {
    const address = serve('/a/my%20model.gguf');
    const first = await pull(address);
    expect(first).toMatchObject({ bytes: model.length, cached: false });
    expect(readdirSync(dirname(first.path))).toEqual(['my_model.gguf']);
    const requests = server().requests.length;
    expect(await pull(`${address}#fragment`)).toEqual({ ...first, cached: true });
    await using engine = await Engine.load(address);
    expect(engine.description.model).toBe(first.path);
    expect((await inspectModel(address)).fileBytes).toBe(model.length);
    expect(server().requests).toHaveLength(requests);
  });

  test('of another folder, or with another query, is another model', async () => {
    const paths = new Set<string>();
    for (const path of ['/a/m.gguf', '/b/m.gguf', '/a/m.gguf?revision=2'])
      paths.add((await pull(serve(path))).path);
    expect(paths.size).toBe(3);
  });

  test('on the command line', async () => {
    const address = serve('/a/m.gguf');
    const environment = { XDG_CACHE_HOME: process.env['XDG_CACHE_HOME']! };
    const flags = ['-n', '2', '--raw', '--no-layout-cache'];
    const run = await cachalot(['run', '-m', address, ...flags, 'the'], '', environment);
    expect(run).toMatchObject({ code: 0 });
    const { stdout } = await cachalot(['pull', address, '--json'], '', environment);
    expect(JSON.parse(stdout)).toMatchObject({ cached: true, bytes: model.length });
  });

  test('that answers with a page, or not at all, is an error without the query', async () => {
    const page = Buffer.from('<!doctype html><title>Log in</title>');
    await expect(pull(serve('/a/m.gguf?key=secret', { bytes: page }))).rejects.toMatchObject({
      code: 'download_corrupt',
      message: expect.stringMatching(/^(?!.*secret).*a web page.*Log in/) as string,
    });
    await expect(pull(`${server().url}/none.gguf?key=secret`)).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringMatching(
        /^(?!.*secret).*none\.gguf.*answered 404.*is the address right/,
      ) as string,
    });
  });

  test('gets no token of the hub', async () => {
    const address = serve('/a/m.gguf');
    process.env['HF_ENDPOINT'] = 'http://127.0.0.1:1';
    process.env['HF_TOKEN'] = 'secret';
    await pull(address);
    expect(server().tokens).toEqual([undefined]);
  });
});
