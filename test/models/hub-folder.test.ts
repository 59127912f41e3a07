import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { Engine, pull } from '../../lib/index.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import { useStubHub } from '../fixtures/stub-server.js';
import type { StubServer } from '../fixtures/stub-server.js';

describe('a model from the hub by its name', () => {
  const hub = useStubHub();
  let server: StubServer;
  beforeEach(() => void (server = hub()));

  function serve(folder: string, revision = 'main'): void {
    for (const name of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, name));
      server.files.set(`/o/r/resolve/${revision}/${name}`, { bytes });
    }
  }

  test.each([1, 3])('in %d files: fetched once, and runs', async (shards) => {
    const model = writeHubModel({ shape: { layers: 1 }, shards, template: '{{ bos_token }}x' });
    serve(model.path);
    await using engine = await Engine.load('hf:o/r');
    await using local = await Engine.load(model.path);
    expect(engine.canChat).toBe(true);
    const options = { maxTokens: 5 };
    expect((await engine.complete('the', options).result).tokens).toEqual(
      (await local.complete('the', options).result).tokens,
    );
    const requests = server.requests.length;
    expect(await pull('hf:o/r')).toMatchObject({ cached: true });
    expect(server.requests).toHaveLength(requests);
  });

  test('what is there is kept when a pull goes on, and another revision lies elsewhere', async () => {
    const model = writeHubModel({ shape: { layers: 1 }, shards: 2 });
    serve(model.path);
    const last = '/o/r/resolve/main/model-00002-of-00002.safetensors';
    const whole = server.files.get(last)!;
    server.files.set(last, { ...whole, status: 404 });
    await expect(pull('hf:o/r')).rejects.toMatchObject({ code: 'download_failed' });
    server.files.set(last, whole);
    server.requests.length = 0;
    const { path, cached } = await pull('hf:o/r');
    expect(cached).toBe(false);
    expect(server.requests.filter((line) => line.includes('00001-of'))).toEqual([]);
    serve(model.path, 'v2');
    expect((await pull('hf:o/r@v2')).path).not.toBe(path);
  });

  test('without a configuration, or with an index that leads elsewhere, is refused', async () => {
    await expect(pull('hf:o/r')).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('config.json') as string,
    });
    const model = writeHubModel({ shape: { layers: 1 }, shards: 2 });
    serve(model.path);
    const index = { weight_map: { a: '../../outside.safetensors' } };
    server.files.set('/o/r/resolve/main/model.safetensors.index.json', {
      bytes: Buffer.from(JSON.stringify(index)),
    });
    await expect(pull('hf:o/r')).rejects.toMatchObject({ code: 'download_corrupt' });
  });

  test('an answer that is no JSON is not kept, and a file of its own may be pulled beside the folder', async () => {
    const model = writeHubModel({ shape: { layers: 1 } });
    serve(model.path);
    const config = '/o/r/resolve/main/config.json';
    const sound = server.files.get(config)!;
    server.files.set(config, { bytes: Buffer.from('<html>') });
    await expect(pull('hf:o/r')).rejects.toMatchObject({ code: 'download_corrupt' });
    server.files.set(config, sound);
    const [folder, file] = await Promise.all([pull('hf:o/r'), pull('hf:o/r/model.safetensors')]);
    expect(file.path).toBe(join(folder.path, 'model.safetensors'));
    await expect(pull('hf:o/r/.complete')).rejects.toMatchObject({ code: 'source_invalid' });
  });
});
