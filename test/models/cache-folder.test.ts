/** Where models and what loading keeps lie: `cacheDir`, CACHALOT_CACHE, XDG_CACHE_HOME, the user's home, in this order. */
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';

import { Engine, pull } from '../../lib/index.js';
import { cacheFolder } from '../../lib/models/store/cache-folder.js';
import { cachalot } from '../cli/cachalot.js';
import { serveNpm } from '../fixtures/stub-npm.js';
import { useStubHub } from '../fixtures/stub-server.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const hub = useStubHub();
const model = Buffer.from('GGUF and what follows');
const serve = () => hub().files.set('/o/r/resolve/main/m.gguf', { bytes: model });

/** A user of whom the system knows no home, as one of a container that is only a number. */
function withoutHome(): void {
  for (const name of ['XDG_CACHE_HOME', 'CACHALOT_CACHE', 'HF_HOME']) delete process.env[name];
  jest.spyOn(os, 'homedir').mockImplementation(() => {
    throw new Error('ENOENT: no such user');
  });
}
afterEach(() => void jest.restoreAllMocks());

test('the option comes before the variable, that before the folder of the user; blank is absent', () => {
  process.env['XDG_CACHE_HOME'] = '/xdg';
  expect(cacheFolder()).toBe('/xdg/cachalot');
  process.env['CACHALOT_CACHE'] = '/chosen';
  expect(cacheFolder()).toBe('/chosen');
  expect(cacheFolder('/given')).toBe('/given');
  process.env['CACHALOT_CACHE'] = 'beside';
  expect(cacheFolder()).toBe(join(process.cwd(), 'beside'));
  process.env['CACHALOT_CACHE'] = ' ';
  expect(cacheFolder()).toBe('/xdg/cachalot');
  delete process.env['XDG_CACHE_HOME'];
  expect(cacheFolder()).toBe(join(os.homedir(), '.cache/cachalot'));
});

test('`cacheDir` of a pull is where the model comes to lie, and is found again', async () => {
  serve();
  const cacheDir = temporaryPath('chosen');
  const first = await pull('hf:o/r/m.gguf', { cacheDir });
  expect(first).toMatchObject({ path: join(cacheDir, 'models/hf/o/r/m.gguf'), cached: false });
  expect(await pull('hf:o/r/m.gguf', { cacheDir })).toEqual({ ...first, cached: true });
  expect((await pull('hf:o/r/m.gguf')).cached).toBe(false); // elsewhere it is not
});

test('an npm source and an address come there, too', async () => {
  process.env['CACHALOT_CACHE'] = temporaryPath('chosen');
  const folder = join(process.env['CACHALOT_CACHE'], 'models');
  await serveNpm(hub(), { one: { 'm.gguf': model } });
  hub().files.set('/a/m.gguf', { bytes: model });
  for (const source of ['npm:one@1.0.0/m.gguf', `${hub().url}/a/m.gguf`])
    expect((await pull(source)).path.startsWith(folder)).toBe(true);
});

test('`cacheDir` of a load holds the model, the repacked weights and the measured costs', async () => {
  const { path } = await writeTinyModel({ type: 'Q8_0' });
  const cacheDir = temporaryPath('chosen');
  const now = Date.now.bind(Date);
  jest.spyOn(Date, 'now').mockImplementation(() => now() + 10_000); // the model has settled
  const engine = await Engine.load(path, { cacheDir, layoutCache: { minBytes: 0 } });
  await engine.dispose();
  expect(readdirSync(cacheDir).sort()).toEqual(['costs', 'layouts']);
  for (const folder of ['costs', 'layouts'])
    expect(readdirSync(join(cacheDir, folder)).length).toBeGreaterThan(0);
  expect(cacheFolder()).not.toBe(cacheDir);
});

test('without a home a file is loaded all the same, and what needs the folder says how to name one', async () => {
  withoutHome();
  const { path } = await writeTinyModel();
  const engine = await Engine.load(path);
  await engine.dispose();
  await expect(pull('stories-15m')).rejects.toMatchObject({
    code: 'io',
    message: expect.stringMatching(/no home folder.*`cacheDir` or CACHALOT_CACHE/) as string,
  });
});

test('without a home a named folder is enough, for the hub as well', async () => {
  withoutHome();
  serve();
  const cacheDir = temporaryPath('chosen');
  expect((await pull('hf:o/r/m.gguf', { cacheDir })).cached).toBe(false);
  process.env['CACHALOT_CACHE'] = cacheDir;
  expect((await pull('hf:o/r/m.gguf')).cached).toBe(true);
});

const asUser = process.geteuid?.() === 0 ? test.skip : test; // root may write everywhere

test('a folder that is a file, and one that cannot be, name the option and the variable', async () => {
  serve();
  const file = temporaryPath('file');
  writeFileSync(file, '');
  for (const cacheDir of [file, join(file, 'below')])
    await expect(pull('hf:o/r/m.gguf', { cacheDir })).rejects.toMatchObject({
      code: 'io',
      message: expect.stringMatching(
        /cannot .*`cacheDir` or CACHALOT_CACHE names another/,
      ) as string,
    });
});

asUser('a folder that is not ours to write names the option and the variable', async () => {
  serve();
  const cacheDir = temporaryPath('closed');
  mkdirSync(cacheDir);
  chmodSync(cacheDir, 0o500);
  await expect(pull('hf:o/r/m.gguf', { cacheDir })).rejects.toMatchObject({
    code: 'io',
    message: expect.stringMatching(/permission denied; `cacheDir` or CACHALOT_CACHE/) as string,
  });
});

test('other errors of a pull stay what they are', async () => {
  await expect(pull('hf:o/r/none.gguf')).rejects.toMatchObject({
    code: 'download_failed',
    message: expect.not.stringContaining('CACHALOT_CACHE') as string,
  });
});

test.each(['', 7, 'a\0b'])('cacheDir %j is refused', async (cacheDir) => {
  for (const work of [
    pull('stories-15m', { cacheDir } as object),
    Engine.load('x', { cacheDir } as object),
  ])
    await expect(work).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('`cacheDir`') as string,
    });
});

test('--cache-dir holds for every command', async () => {
  serve();
  const folder = temporaryPath('chosen');
  const hubOf = { HF_ENDPOINT: hub().url };
  const pulled = await cachalot(['pull', 'hf:o/r/m.gguf', '--cache-dir', folder], '', hubOf);
  expect(pulled.stdout.trim()).toBe(join(folder, 'models/hf/o/r/m.gguf'));
  const listed = await cachalot(['--cache-dir', folder, 'models'], '', {});
  expect(listed.stdout).toMatch(/^hf:o\/r\/m.gguf/m);
  expect(await cachalot(['models', '--cache-dir', ''], '', {})).toMatchObject({ code: 2 });
});
