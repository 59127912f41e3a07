import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { temporaryPath } from '../fixtures/tiny-model.js';
import { cachalot } from './cachalot.js';

describe('cachalot models', () => {
  let cache: string;
  let folder: string;
  beforeEach(() => {
    cache = temporaryPath('cache');
    folder = join(cache, 'cachalot', 'models');
  });
  const put = (path: string, bytes: number) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), Buffer.alloc(bytes));
  };
  const models = (...args: string[]) =>
    cachalot(['models', ...args], '', { XDG_CACHE_HOME: cache });
  const names = async () =>
    (
      JSON.parse((await models('list', '--json')).stdout) as {
        models: { name: string; bytes: number; isPartial: boolean }[];
      }
    ).models.map(({ name, bytes, isPartial }) => [name, bytes, isPartial]);

  test('lists aliases, files, folders and what was interrupted, with their sizes', async () => {
    put('stories-15m.gguf', 1000);
    put('hf/o/r/model.gguf', 2000);
    put('hf/o/r/other.gguf.part', 10);
    put('hf/o/whole/.complete', 0);
    put('hf/o/whole/model.safetensors', 3000);
    put('hf/o/begun/config.json', 5);
    put('npm/p@1/abcd/model.gguf', 70);
    put('npm/p@1/abcd/model.gguf.lock', 7);
    put('stories-15m.gguf.fetched', 3);
    symlinkSync('/no/such/file', join(folder, 'npm/p@1/abcd/link.gguf'));
    expect(await names()).toEqual([
      [join(folder, 'npm/p@1/abcd/link.gguf'), 13, false],
      [join(folder, 'npm/p@1/abcd/model.gguf'), 70, false],
      [join(folder, 'stories-15m.gguf.fetched'), 3, true],
      ['hf:o/begun', 5, true],
      ['hf:o/r/model.gguf', 2000, false],
      ['hf:o/r/other.gguf.part', 10, true],
      ['hf:o/whole', 3000, false],
      ['stories-15m', 1000, false],
    ]);
    const { stdout } = await models();
    expect(stdout).toMatch(/^stories-15m +1\.0 kB/m);
    expect(stdout).toMatch(/^hf:o\/begun +0\.0 kB +unfinished/m);
    expect(stdout).toMatch(/^all +6\.1 kB/m);
  });

  test('removes by name, with the folders that are empty then, and nothing else', async () => {
    put('hf/o/r/model.gguf', 2000);
    put('hf/o/other/model.gguf', 2000);
    put('stories-15m.gguf', 1000);
    expect(await models('remove', 'hf:o/r/model.gguf', 'stories-15m')).toMatchObject({
      code: 0,
      stdout: 'hf:o/r/model.gguf is gone, 2.0 kB are free\nstories-15m is gone, 1.0 kB are free\n',
    });
    expect(existsSync(join(folder, 'hf/o/r'))).toBe(false);
    expect(await names()).toEqual([['hf:o/other/model.gguf', 2000, false]]);
    const gone = await models('remove', 'hf:o/other/model.gguf', '../../outside');
    expect(gone.code).toBe(1);
    expect(gone.stderr).toMatch(/there is no model '..\/..\/outside'.*\[model_not_found\]/);
    expect(await names()).toHaveLength(1); // all or none
  });

  test('an empty cache says what to do', async () => {
    expect((await models()).stdout).toMatch(/none in .*; try `cachalot pull/);
  });
});
