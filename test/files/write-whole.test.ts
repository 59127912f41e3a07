/** A file is written anew whole, or stays as it was. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { CachalotError } from '../../lib/errors.js';
import { writeOwn, writeWhole } from '../../lib/files/write-whole.js';
import { saveConversation } from '../../lib/cli/conversation-file.js';
import { writeGguf } from '../../lib/models/formats/gguf-writer.js';
import { temporaryPath } from '../fixtures/tiny-model.js';

const modeOf = (path: string) => statSync(path).mode & 0o777;

/** In a folder of its own. */
function freshPath(name = 'file'): string {
  const folder = temporaryPath('folder');
  mkdirSync(folder);
  return join(folder, name);
}

const dist = join(__dirname, '..', '..', 'dist');

/** Runs `body` where no file may have more than `kilobytes`: what a full disk does, in the middle of a write. */
function withSmallFiles(kilobytes: number, body: string): string {
  const script = `(async () => { ${body} })().catch((error) => console.log(error.code, error.message));`;
  const limit = `ulimit -f ${kilobytes}; exec "$@"`;
  const args = ['-c', limit, 'bash', process.execPath, '-e', script];
  return execFileSync('bash', args, { encoding: 'utf8' });
}

test('a new file is for its owner alone; one that is there keeps its mode', async () => {
  const path = freshPath();
  await writeWhole(path, 'first');
  expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['first', 0o600]);
  chmodSync(path, 0o640);
  await writeWhole(path, new Uint8Array([0x32]));
  expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['2', 0o640]);
  await writeOwn(path, 'ours');
  expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual(['ours', 0o600]);
  expect(readdirSync(dirname(path))).toEqual(['file']);
});

test('what was there stays while the new content is made, and when that fails', async () => {
  const path = freshPath();
  writeFileSync(path, 'old');
  const failure = new RangeError('of the content itself');
  const writing = writeWhole(path, async (file) => {
    await file.writeFile('half');
    expect(readFileSync(path, 'utf8')).toBe('old');
    throw failure;
  });
  await expect(writing).rejects.toBe(failure);
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(dirname(path))).toEqual(['file']);
});

test('a link is followed, also one to what is not there yet, and stays a link', async () => {
  const path = freshPath();
  mkdirSync(join(dirname(path), 'below'));
  writeFileSync(path, 'old');
  const link = join(dirname(path), 'below', 'link');
  symlinkSync('../file', link);
  await writeWhole(link, 'new');
  expect([readlinkSync(link), readFileSync(path, 'utf8')]).toEqual(['../file', 'new']);
  const dangling = join(dirname(path), 'dangling');
  symlinkSync('below/made', dangling);
  await writeWhole(dangling, 'made');
  expect(lstatSync(dangling).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(dirname(path), 'below', 'made'), 'utf8')).toBe('made');
  await writeOwn(dangling, 'ours'); // a mark of our own is no way to write elsewhere
  expect(lstatSync(dangling).isSymbolicLink()).toBe(false);
});

test('a name as long as names can be is written, too', async () => {
  const path = freshPath('x'.repeat(255));
  await writeWhole(path, 'content');
  expect(readFileSync(path, 'utf8')).toBe('content');
});

test.each<[string, (path: string) => string, string]>([
  ['a folder', (path) => (mkdirSync(path), path), 'it is a folder, not a file'],
  ['a folder that is missing', (path) => join(path, 'file'), 'there is no such file or folder'],
  [
    'a path through a file',
    (path) => (writeFileSync(path, ''), join(path, 'file')),
    'a part of its path is a file, not a folder',
  ],
  [
    'a name that is too long',
    (path) => path + 'x'.repeat(300),
    'the name is too long for the file system',
  ],
  ['a device', (path) => (symlinkSync('/dev/full', path), path), 'it is a device, not a file'],
  [
    'a pipe that nobody reads',
    (path) => (execFileSync('mkfifo', [path]), path),
    'it is a pipe, not a file',
  ],
  [
    'links in a circle',
    (path) => (symlinkSync(path, path), path),
    'too many links point to one another',
  ],
])('%s is refused by name', async (_, make, why) => {
  const path = make(freshPath());
  for (const write of [
    () => writeWhole(path, 'x'),
    () => writeGguf(path, {}, []),
    () => saveConversation(path, 'model', []),
  ])
    await expect(write()).rejects.toEqual(
      new CachalotError('io', `cannot write '${path}': ${why}`),
    );
});

test('a write-protected file is not replaced', async () => {
  if (process.geteuid?.() === 0) return expect(process.geteuid()).toBe(0); // root may write everywhere
  const path = freshPath();
  writeFileSync(path, 'old', { mode: 0o400 });
  await expect(writeWhole(path, 'new')).rejects.toMatchObject({ code: 'io' });
  expect(readFileSync(path, 'utf8')).toBe('old');
});

test.each<[string, string, string]>([
  [
    'a conversation',
    'cli/conversation-file.js',
    "m.saveConversation(PATH, 'model', [{ role: 'user', content: 'x'.repeat(5000) }])",
  ],
  ['a model', 'models/test-model.js', 'm.writeTestModel(PATH)'],
])('%s that finds no room leaves the old one, and nothing else', (_, module, call) => {
  const path = freshPath();
  writeFileSync(path, 'old');
  const body = `const m = require(${JSON.stringify(join(dist, module))}); await ${call.replace('PATH', JSON.stringify(path))};`;
  expect(withSmallFiles(1, body)).toBe(
    `io cannot write '${path}': the file would be larger than the file system or a limit allows\n`,
  );
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(dirname(path))).toEqual(['file']);
});
