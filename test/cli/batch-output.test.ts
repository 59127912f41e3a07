/** The file of `cachalot batch --output`: nothing but its own cut-off line is ever taken from it. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import type { InputLine } from '../../lib/cli/batch-input.js';
import { BatchOutput } from '../../lib/cli/batch-output.js';
import { LOCK_PERIODS } from '../../lib/files/lock-file.js';
import { temporaryPath } from '../fixtures/tiny-model.js';

const lines: InputLine[] = ['a', 'b'].map((text, index) => ({
  index,
  text: JSON.stringify(text),
  id: JSON.stringify(`é${index}`),
  prompt: text,
  tokens: undefined,
  options: {},
  form: 'own',
  asked: undefined,
  error: undefined,
}));
const answer = { text: 'x', finishReason: 'stop', usage: {} };
const { signal } = new AbortController();
const open = (path: string, given = signal) => BatchOutput.open(path, lines, {}, given);

function freshPath(): string {
  const folder = temporaryPath('folder');
  mkdirSync(folder);
  return join(folder, 'out.jsonl');
}

/** A file with all answers, as bytes. */
async function wholeFile(path: string): Promise<Buffer> {
  const output = await open(path);
  for (const line of lines) output.write(line, answer);
  await output.close();
  return readFileSync(path);
}

test('a last line cut off anywhere is taken away, behind others or with its key, and nothing else', async () => {
  const path = freshPath();
  const bytes = await wholeFile(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const second = bytes.indexOf('\n') + 1;
  const keyEnds = bytes.indexOf('"key":"') + 24;
  for (let length = 1; length < bytes.length; length++) {
    const cut = bytes.subarray(0, length);
    writeFileSync(path, cut);
    const opened = await open(path).then(
      (output) => output.close().then(() => true),
      () => false,
    );
    const isKnown = length >= second || length >= keyEnds;
    expect([length, opened]).toEqual([length, isKnown]);
    const kept = isKnown ? bytes.subarray(0, length >= second ? second : 0) : cut;
    expect(readFileSync(path).equals(kept)).toBe(true);
  }
});

test.each(['{"index":0,"value":2}', '{"index":7', '{"index":0,"id":"é0","key":"0123456789abcdef"'])(
  'a file that only begins like ours (%s) is refused and stays as it was',
  async (content) => {
    const path = freshPath();
    writeFileSync(path, content);
    await expect(open(path)).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(readFileSync(path, 'utf8')).toBe(content);
    expect(readdirSync(dirname(path))).toEqual(['out.jsonl']);
  },
);

test('a file under two names has one lock, and who is refused leaves nothing', async () => {
  const path = freshPath();
  const link = join(dirname(path), 'link');
  symlinkSync('out.jsonl', link);
  const output = await open(link);
  if (process.platform === 'linux')
    await expect(open(path)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining(
        `another process writes '${path}': process ${process.pid}`,
      ) as string,
    });
  await output.close();
  expect(readdirSync(dirname(path)).sort()).toEqual(['link', 'out.jsonl']);
});

test('a lock of nobody is waited for with a word, then taken away; the wait heeds its signal', async () => {
  const path = freshPath();
  writeFileSync(`${path}.lock`, '');
  const said = jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
  const controller = new AbortController();
  said.mockImplementationOnce(() => {
    controller.abort();
    return true;
  });
  await expect(open(path, controller.signal)).rejects.toMatchObject({ code: 'aborted' });
  expect(said.mock.calls[0]?.[0]).toMatch(/out\.jsonl' is locked by somebody whom the lock does/);
  expect(existsSync(path)).toBe(false);
  jest.replaceProperty(LOCK_PERIODS, 'pollMs', 2);
  jest.replaceProperty(LOCK_PERIODS, 'staleMs', 4);
  await (await open(path)).close();
  jest.restoreAllMocks();
  expect(readdirSync(dirname(path))).toEqual(['out.jsonl']);
});

test('an answer that finds no room is an io error that names the file, and leaves whole lines', () => {
  const path = freshPath();
  const script = `
    const { BatchOutput } = require(${JSON.stringify(join(__dirname, '../../dist/cli/batch-output.js'))});
    const lines = ${JSON.stringify(lines)};
    BatchOutput.open(${JSON.stringify(path)}, lines, {}, new AbortController().signal).then((output) => {
      output.write(lines[0], { text: 'x' });
      try { output.write(lines[1], { text: 'x'.repeat(5000) }); } catch (error) { console.log(error.code, error.message); }
      return output.close();
    });`;
  const args = ['-c', 'ulimit -f 1; exec "$@"', 'bash', process.execPath, '-e', script];
  expect(execFileSync('bash', args, { encoding: 'utf8' })).toMatch(
    /^io cannot write '.*out\.jsonl': the file would be larger/,
  );
  expect(readFileSync(path, 'utf8')).toMatch(/^\{"index":0,[^\n]*\}\n$/);
});

test('a pipe that nobody reads, a folder and what cannot be there are refused by name', async () => {
  const path = freshPath();
  execFileSync('mkfifo', [path]);
  const io = (name: string, why: string) => ({
    code: 'io',
    message: expect.stringMatching(`'${name}': ${why}`) as string,
  });
  await expect(open(path)).rejects.toMatchObject(io(path, 'there is nobody at the other end'));
  await expect(open(dirname(path))).rejects.toMatchObject(io(dirname(path), 'it is a folder'));
  for (const wrong of [join(path, 'below'), join(dirname(path), 'no/such'), path + 'x'.repeat(300)])
    await expect(open(wrong)).rejects.toMatchObject(io(wrong, '.*'));
});
