import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { cachalot } from './cachalot.js';

const TEMPLATE = '{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}assistant: ';

describe('cachalot init', () => {
  test('writes a program of five lines that streams an answer', async () => {
    const { path } = await writeTinyModel({ template: TEMPLATE, shape: { context: 64 } });
    const folder = temporaryPath('My Project');
    const { code, stdout } = await cachalot(['init', folder, '--json', '-m', path]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ folder, files: ['package.json', 'index.mjs'] });
    expect(readFileSync(join(folder, 'index.mjs'), 'utf8').trim().split('\n')).toHaveLength(5);
    const { name, dependencies } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    ) as { name: string; dependencies: object };
    expect([name, Object.keys(dependencies)]).toEqual([
      expect.stringMatching(/^[a-z0-9][a-z0-9-]*-my-project$/),
      ['cachalot'],
    ]);
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(join(__dirname, '..', '..'), join(folder, 'node_modules', 'cachalot'));
    const run = promisify(execFile)(process.execPath, ['index.mjs', 'the'], { cwd: folder });
    expect((await run).stdout).not.toBe('');
  });

  test('overwrites nothing, and leaves nothing by half', async () => {
    for (const name of ['package.json', 'index.mjs']) {
      const folder = temporaryPath('folder');
      mkdirSync(folder);
      writeFileSync(join(folder, name), 'mine');
      const { code, stderr } = await cachalot(['init', folder]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(`${name}' is there already`)]);
      expect(readdirSync(folder)).toEqual([name]);
      expect(readFileSync(join(folder, name), 'utf8')).toBe('mine');
      const below = await cachalot(['init', join(folder, name)]);
      expect([below.code, below.stderr]).toEqual([1, expect.stringMatching(/\[io\]/)]);
    }
  });

  test.each(['node_modules', 'favicon.ico', 'cachalot', '...', 'a'.repeat(215)])(
    'a folder %s, which is no name for npm, gets a package of another name',
    async (last) => {
      const folder = join(temporaryPath('folder'), last);
      expect(await cachalot(['init', folder])).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))).toMatchObject({
        name: 'cachalot-project',
      });
    },
  );

  test('a folder without a name is refused', async () => {
    const { code, stderr } = await cachalot(['init', '']);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/it is empty/)]);
  });

  (existsSync('/proc/self') ? test : test.skip)(
    'a folder that can hold none, as /proc, is an error',
    async () => {
      for (const args of [
        ['init', '/proc/none'],
        ['--cache-dir', '/proc/none', 'pull', 'https://127.0.0.1:1/m.gguf'],
      ]) {
        const { code, stderr } = await cachalot(args);
        expect([code, stderr]).toEqual([
          1,
          expect.stringMatching(/cannot .*'\/proc\/none.*\[io\]/),
        ]);
      }
    },
  );
});
