import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { Engine, pull } from '../../lib/index.js';
import { serveWith } from '../fixtures/http-server.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import { useStubHub } from '../fixtures/stub-server.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';

describe("the cache of the hub's own tools", () => {
  const hub = useStubHub();
  let model: Buffer;
  beforeAll(async () => void (model = readFileSync((await writeTinyModel()).path)));

  /** As huggingface_hub lays it out: blobs by their hash, and links to them. */
  function keep(files: Record<string, Buffer>, cache = join(process.env['HF_HOME']!, 'hub')) {
    const folder = join(cache, 'models--o--r');
    const snapshot = join(folder, 'snapshots', COMMIT);
    for (const path of ['refs', 'blobs']) mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, 'refs/main'), COMMIT);
    for (const [index, [name, bytes]] of Object.entries(files).entries()) {
      const blob = join(folder, 'blobs', `blob-${index}`);
      writeFileSync(blob, bytes);
      mkdirSync(dirname(join(snapshot, name)), { recursive: true });
      symlinkSync(blob, join(snapshot, name));
    }
    return snapshot;
  }

  test('a file, a short name and a folder are used where they lie, without a request', async () => {
    const source = writeHubModel({ shape: { layers: 1 }, shards: 2 });
    const folder = Object.fromEntries(
      readdirSync(source.path).map((name) => [name, readFileSync(join(source.path, name))]),
    );
    const snapshot = keep({ 'sub/m-Q4_0.gguf': model, ...folder });
    const file = { path: join(snapshot, 'sub/m-Q4_0.gguf'), bytes: model.length, cached: true };
    expect(await pull('hf:o/r/sub/m-Q4_0.gguf')).toEqual(file);
    expect(await pull('hf:o/r:q4_0')).toEqual(file);
    expect(await pull(`hf:o/r@${COMMIT}/sub/m-Q4_0.gguf`)).toEqual(file);
    expect(await pull('hf:o/r')).toMatchObject({ path: snapshot, cached: true });
    await (await Engine.load('hf:o/r/sub/m-Q4_0.gguf')).dispose();
    await (await Engine.load('hf:o/r')).dispose();
    expect(hub().requests).toEqual([]);
  });

  test('HF_HUB_CACHE names it', async () => {
    const cache = temporaryPath('hub');
    process.env['HF_HUB_CACHE'] = cache;
    const snapshot = keep({ 'm.gguf': model }, cache);
    expect((await pull('hf:o/r/m.gguf')).path).toBe(join(snapshot, 'm.gguf'));
  });

  test('what is not whole there is fetched, and what is there stays as it is', async () => {
    const snapshot = keep({ 'm.gguf': model, 'config.json': Buffer.from('{}') });
    rmSync(join(snapshot, '../../blobs/blob-0')); // the link leads nowhere
    hub().files.set('/o/r/resolve/main/m.gguf', { bytes: model });
    expect(await pull('hf:o/r/m.gguf')).toMatchObject({ cached: false });
    await expect(pull('hf:o/r')).rejects.toMatchObject({ code: 'download_failed' });
    expect(readdirSync(snapshot).sort()).toEqual(['config.json', 'm.gguf']);
  });

  test('by force it is passed over', async () => {
    keep({ 'm.gguf': Buffer.from('damaged') });
    hub().files.set('/o/r/resolve/main/m.gguf', { bytes: model });
    const { path } = await pull('hf:o/r/m.gguf', { force: true });
    expect(readFileSync(path).equals(model)).toBe(true);
    expect((await pull('hf:o/r/m.gguf')).path).toBe(path); // and ours is used from then on
  });
});

describe('what the hub and its tools agree on', () => {
  const hub = useStubHub();

  test('HF_HUB_OFFLINE: no request is made, and the error says so', async () => {
    process.env['HF_HUB_OFFLINE'] = '1';
    for (const model of ['hf:o/r', 'hf:o/r/m.gguf', 'hf:o/r:Q4_0'])
      await expect(pull(model)).rejects.toMatchObject({
        code: 'download_failed',
        message: expect.stringContaining(`cannot fetch ${model}: HF_HUB_OFFLINE is set`) as string,
      });
    expect(hub().requests).toEqual([]);
  });

  test('the token is HF_TOKEN, else what a login has kept', async () => {
    hub().files.set('/o/r/resolve/main/m.gguf', { bytes: Buffer.from('GGUF') });
    const sent = async () => {
      hub().tokens.length = 0;
      await pull('hf:o/r/m.gguf', { force: true });
      return [...new Set(hub().tokens)];
    };
    expect(await sent()).toEqual([undefined]);
    const home = process.env['HF_HOME']!;
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'token'), 'hf_home\n');
    expect(await sent()).toEqual(['Bearer hf_home']);
    process.env['HF_TOKEN_PATH'] = temporaryPath('token');
    writeFileSync(process.env['HF_TOKEN_PATH'], 'hf_path\n');
    expect(await sent()).toEqual(['Bearer hf_path']);
    process.env['HF_TOKEN'] = 'hf_variable';
    expect(await sent()).toEqual(['Bearer hf_variable']);
  });

  test('a repository that was renamed is found, with what the hub says of its file', async () => {
    hub().files.set('/o/r/resolve/main/m.gguf', {
      bytes: Buffer.alloc(0),
      redirect: '/new/r/resolve/main/m.gguf',
    });
    hub().files.set('/new/r/resolve/main/m.gguf', {
      bytes: Buffer.alloc(0),
      redirect: '/storage/blob',
      headers: { 'x-linked-size': '4', 'x-linked-etag': `"${'0'.repeat(64)}"` },
    });
    hub().files.set('/storage/blob', { bytes: Buffer.from('GGUF') });
    await expect(pull('hf:o/r/m.gguf')).rejects.toMatchObject({
      code: 'download_corrupt',
      message: expect.stringContaining(`not ${'0'.repeat(64)}`) as string,
    });
  });

  test('the storage that the hub sends us to is asked for the file only', async () => {
    await using storage = await serveWith((request, response) => {
      if (request.method !== 'GET') response.writeHead(405).end();
      else response.end('GGUF');
    });
    const redirect = `${storage.url}/blob`;
    hub().files.set('/o/r/resolve/main/m.gguf', { bytes: Buffer.alloc(0), redirect });
    expect(await pull('hf:o/r/m.gguf')).toMatchObject({ bytes: 4 });
    expect(storage.requests).toEqual(['GET /blob']);
  });
});
