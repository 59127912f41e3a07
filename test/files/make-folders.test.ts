import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { makeFolders } from '../../lib/files/make-folders.js';
import { makePrivateFolder } from '../../lib/files/private.js';
import { temporaryPath } from '../fixtures/tiny-model.js';

const onPosix = process.platform === 'win32' ? test.skip : test; // Windows has no such bits
const withProc = existsSync('/proc/self') ? test : test.skip; // Linux's

withProc('a folder that takes none is an error, not a search without end', async () => {
  for (const path of ['/proc/none', '/proc/none/deep/down'])
    await expect(makePrivateFolder(path)).rejects.toMatchObject({
      code: 'io',
      message: expect.stringContaining(`cannot make the folder '${path}'`) as string,
    });
});

onPosix(
  'all that are missing are made with the mode, and those that are there keep theirs',
  async () => {
    const top = temporaryPath('top');
    mkdirSync(top, { mode: 0o700 });
    await makeFolders(`${top}/a/b/../c/`, 0o700);
    await makeFolders(join(top, 'a/c/d'), 0o500);
    const modes = ['', 'a', 'a/b', 'a/c', 'a/c/d'].map(
      (name) => statSync(join(top, name)).mode & 0o777,
    );
    expect(modes).toEqual([0o700, 0o700, 0o700, 0o700, 0o500]);
  },
);

test('several may make the same at once', async () => {
  const path = temporaryPath('a/b/c/d');
  await Promise.all(Array.from({ length: 8 }, () => makeFolders(path)));
  expect(statSync(path).isDirectory()).toBe(true);
});

test('a file, or a link that leads nowhere, in the place of a folder is an error of the path', async () => {
  const top = temporaryPath('top');
  mkdirSync(top);
  writeFileSync(join(top, 'file'), '');
  symlinkSync('nowhere', join(top, 'link'));
  for (const path of ['file', 'file/deep/down', 'link', 'link/below'])
    await expect(makeFolders(join(top, path))).rejects.toMatchObject({
      code: 'io',
      message: expect.stringContaining(`'${join(top, path)}'`) as string,
    });
});
