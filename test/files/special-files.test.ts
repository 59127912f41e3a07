/** Pipes, sockets and devices in the place of files are refused by name, at once, and hold no thread. */
import { execFile, execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { Engine } from '../../lib/index.js';
import { loadConversation } from '../../lib/cli/conversation-file.js';
import { readText } from '../../lib/cli/read-text.js';
import { readOwnText, readRegular, readTextIfPresent } from '../../lib/files/regular-file.js';
import { inspectModel } from '../../lib/models/inspect.js';
import { convertLlama2c } from '../../lib/models/formats/llama2c.js';
import { cliPath } from '../cli/cachalot.js';
import { writeHubModel } from '../fixtures/hub-model.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const servers: Server[] = [];
afterAll(() => servers.forEach((server) => server.close()));

const makePipe = (path: string): void => void execFileSync('mkfifo', [path]);

/** Puts something at `path` that is no file. */
const KINDS: Record<string, (path: string) => Promise<void> | void> = {
  pipe: makePipe,
  device: (path) => symlinkSync('/dev/zero', path),
  socket: async (path) => {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((ready) => server.listen(path, ready));
  },
};
const kinds = Object.keys(KINDS);

const refusal = (path: string, kind: string) => ({
  code: 'io',
  message: expect.stringContaining(`'${path}': it is a ${kind}, not a file`) as string,
});

describe.each(kinds)('a %s', (kind) => {
  const plant = async (path = temporaryPath('x')) => {
    await KINDS[kind]!(path);
    return path;
  };

  test('is no model, whatever its name, and no checkpoint', async () => {
    const path = await plant();
    await expect(Engine.load(path)).rejects.toMatchObject(refusal(path, kind));
    await expect(inspectModel(path)).rejects.toMatchObject(refusal(path, kind));
    await expect(convertLlama2c(path, `${path}.gguf`, 'x')).rejects.toMatchObject(
      refusal(path, kind),
    );
    const named = await plant(temporaryPath('x.safetensors'));
    await expect(inspectModel(named)).rejects.toMatchObject(refusal(named, kind));
  });

  test.each([
    'config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'generation_config.json',
    'chat_template.jinja',
    'model.safetensors',
  ])('is no %s of a folder', async (name) => {
    const { path: folder } = writeHubModel({ shape: { layers: 1 } });
    const path = join(folder, name);
    rmSync(path, { force: true });
    await plant(path);
    await expect(Engine.load(folder)).rejects.toMatchObject(refusal(path, kind));
  });

  test('is no tokenizer and no conversation', async () => {
    const path = await plant();
    const model = await writeTinyModel({ shape: { layers: 1 } });
    await expect(Engine.load(model.path, { tokenizer: path })).rejects.toMatchObject(
      refusal(path, kind),
    );
    await expect(loadConversation(path)).rejects.toMatchObject(refusal(path, kind));
  });
});

test('more of them than there are threads hold none: another file is read meanwhile', async () => {
  const pipes = Array.from({ length: 16 }, () => temporaryPath('pipe'));
  for (const pipe of pipes) makePipe(pipe);
  const reads = pipes.map((pipe) => Engine.load(pipe).catch((error: unknown) => error));
  expect((await stat(__filename)).isFile()).toBe(true);
  for (const [i, error] of (await Promise.all(reads)).entries())
    expect(error).toMatchObject(refusal(pipes[i]!, 'pipe'));
});

describe('reading a file', () => {
  test('gives all of it, also of one whose size the system does not know', async () => {
    const path = temporaryPath('file');
    const bytes = Buffer.alloc(3_000_000, 'cachalot ');
    writeFileSync(path, bytes);
    expect((await readRegular(path, 3_000_000)).equals(bytes)).toBe(true);
    writeFileSync(path, '');
    expect(await readTextIfPresent(path)).toBe('');
    if (process.platform === 'linux')
      expect((await readRegular('/proc/self/status', 1e6)).toString()).toMatch(/^Name:/);
  });

  test('ends at the size that such a file may have', async () => {
    const path = temporaryPath('file');
    writeFileSync(path, 'x'.repeat(1001));
    await expect(readRegular(path, 1000)).rejects.toMatchObject({
      code: 'io',
      message: `cannot read '${path}': it has more than the 1000 bytes that such a file may have`,
    });
    if (process.platform === 'linux')
      await expect(readRegular('/proc/self/status', 10)).rejects.toMatchObject({ code: 'io' });
  });

  test('tells what is absent from what cannot be read', async () => {
    const file = temporaryPath('file');
    writeFileSync(file, '');
    expect(await readTextIfPresent(`${file}.other`)).toBeUndefined();
    const folder = temporaryPath('folder');
    mkdirSync(folder);
    await expect(readTextIfPresent(folder)).rejects.toMatchObject({ code: 'io' });
    await expect(readTextIfPresent(join(file, 'below'))).rejects.toMatchObject({
      code: 'io',
      message: expect.stringContaining('a part of its path is a file, not a folder') as string,
    });
    expect(await readOwnText(`${file}.other`, 10)).toBeUndefined();
  });
});

describe('text for a command may come from a pipe', () => {
  test('that somebody writes, now or later', async () => {
    const path = temporaryPath('pipe');
    makePipe(path);
    const reading = readText(path);
    const writer = execFile('bash', ['-c', 'cat > "$1"', 'bash', path]);
    writer.stdin!.end('péage '.repeat(30_000));
    expect(await reading).toBe('péage '.repeat(30_000));
  });

  test('that nobody writes, which waits in the event loop alone and heeds its signal', async () => {
    const controller = new AbortController();
    const pipes = Array.from({ length: 8 }, () => temporaryPath('pipe'));
    for (const pipe of pipes) makePipe(pipe);
    const reads = pipes.map((pipe) => readText(pipe, controller.signal));
    const ended = Promise.allSettled(reads);
    expect((await stat(__filename)).isFile()).toBe(true);
    controller.abort();
    for (const each of await ended)
      expect(each).toMatchObject({ status: 'rejected', reason: { code: 'aborted' } });
  });

  test.each(['socket', 'device'])('but not from a %s', async (kind) => {
    const path = temporaryPath('x');
    await KINDS[kind]!(path);
    await expect(readText(path)).rejects.toMatchObject(refusal(path, kind));
  });

  test('as `cachalot batch <(command)` and `-o >(command)` of a shell do', async () => {
    const { path: model } = await writeTinyModel({ shape: { layers: 1 } });
    const output = temporaryPath('answers');
    const line = `"$0" "$1" batch -m "$2" -n 2 -o >(cat > "$3.part"; mv "$3.part" "$3") <(printf '"the"\\n"a"\\n'); code=$?; while [ ! -e "$3" ]; do :; done; exit $code`;
    const args = ['-c', line, process.execPath, cliPath, model, output];
    const child = execFile('bash', args);
    expect(await new Promise((end) => child.once('exit', end))).toBe(0);
    const indices = readFileSync(output, 'utf8')
      .trim()
      .split('\n')
      .map((text) => (JSON.parse(text) as { index: number }).index);
    expect(indices.sort()).toEqual([0, 1]);
  });
});
