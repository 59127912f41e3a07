import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { cachalot, cliPath } from './cachalot.js';

const TEMPLATE =
  '{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}';

describe('cachalot chat', () => {
  let model: string;
  beforeAll(
    async () =>
      void ({ path: model } = await writeTinyModel({
        template: TEMPLATE,
        shape: { context: 32768 },
      })),
  );
  const chat = (input: string, ...args: string[]) =>
    cachalot(['chat', '-m', model, '-n', '5', ...args], input);

  test('takes its lines from a pipe, and remembers', async () => {
    const { code, stdout, stderr } = await chat('the\n/stats\nthe\n/stats\n');
    expect(code).toBe(0);
    expect(stdout.split('\n').length).toBeGreaterThanOrEqual(3);
    const cached = [...stderr.matchAll(/prompt \d+ tokens \((\d+) cached\)/g)].map(([, n]) =>
      Number(n),
    );
    expect(cached[0]).toBe(0);
    expect(cached[1]).toBeGreaterThan(5);
    expect(stderr).toMatch(/keys and values [\d.]+ kB of [\d.]+ MB/);
    expect(stdout + stderr).not.toContain('\x1b'); // a pipe is not a terminal
  });

  test('/save writes a conversation, which /load and --load go on with', async () => {
    const path = temporaryPath('conversation.json');
    await chat(`the\n/save ${path}\na\n`, '--system', 's');
    const saved = JSON.parse(readFileSync(path, 'utf8')) as { messages: { role: string }[] };
    expect(saved.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant']);
    const later = await chat('a\n', '--load', path);
    expect(later).toMatchObject({ code: 0 });
    expect(later.stderr).toBe('3 messages\n');
    expect(later.stdout).not.toBe((await chat('a\n')).stdout);
    expect((await chat(`/load ${path}\na\n`)).stdout).toBe(later.stdout);
  });

  test.each([
    ['no JSON', 'nonsense', /is no JSON/],
    ['another file', '{"kind":"shopping list"}', /is no conversation that \/save wrote/],
    ['a later version', '{"kind":"cachalot conversation","version":2}', /reads version 1/],
    [
      'bad messages',
      '{"kind":"cachalot conversation","version":1,"messages":[{"role":"king","content":"x"}]}',
      /messages\[0\].role/,
    ],
  ])('%s is refused', async (_, text, message) => {
    const path = temporaryPath('conversation.json');
    writeFileSync(path, text);
    const outcome = await chat('the\n', '--load', path);
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toMatch(message);
  });

  test('a byte-order mark is no text, in a pipe or a conversation', async () => {
    const path = temporaryPath('conversation.json');
    await chat(`the\n/save ${path}\n`);
    writeFileSync(path, `\ufeff${readFileSync(path, 'utf8')}`);
    const { code, stderr } = await chat(`\ufeff/load ${path}\n`);
    expect([code, stderr]).toEqual([0, '2 messages\n']);
  });

  test('a block between quotes is one message, as it was written', async () => {
    const path = temporaryPath('conversation.json');
    expect((await chat(`"""\r\n/one\r\n\r\n  two\n"""\n/save ${path}\n`)).code).toBe(0);
    const { messages } = JSON.parse(readFileSync(path, 'utf8')) as {
      messages: { content: string }[];
    };
    expect(messages[0]!.content).toBe('/one\n\n  two');
    const open = await chat('"""\nthe\n');
    expect(open).toMatchObject({ code: 2, stdout: '' });
    expect(open.stderr).toMatch(/begins with """ has no end/);
  });

  test('a line that is not UTF-8 ends a script, when those before have been answered', async () => {
    const line = `printf 'the\\n\\xe9\\nthe\\n' | "$0" "$1" chat -m "$2" -n 2`;
    const child = spawn('bash', ['-c', line, process.execPath, cliPath, model]);
    const [out, errors] = [child.stdout, child.stderr].map((stream) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      return chunks;
    });
    expect(await new Promise((exit) => child.once('close', exit))).toBe(1);
    expect(String(Buffer.concat(errors!))).toMatch(/standard input: line 2 is not UTF-8/);
    expect(String(Buffer.concat(out!))).toMatch(/^.+\n$/);
  });

  test('UTF-16 with its mark is text in a pipe, too', async () => {
    const path = temporaryPath('conversation.json');
    const child = spawn(process.execPath, [cliPath, 'chat', '-m', model, '-n', '2']);
    const ended = new Promise((exit) => child.once('close', exit));
    child.stdin.end(Buffer.from(`\ufeffthe é日\r\n/save ${path}\r\n`, 'utf16le'));
    expect(await ended).toBe(0);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
      messages: [{ role: 'user', content: 'the é日' }, {}],
    });
  });

  test('SIGTERM ends the answer and the chat', async () => {
    const child = spawn(process.execPath, [cliPath, 'chat', '-m', model]);
    child.stdin.write('the\n'); // seconds of text
    await new Promise((seen) => child.stdout.once('data', seen));
    child.kill('SIGTERM');
    expect(await new Promise((exit) => child.once('exit', exit))).toBe(143);
  });

  test('/undo and /new take back; a command that is wrong ends a script', async () => {
    const { stdout, stderr } = await chat('the\n/undo\nthe\n/new\nthe\n/stats\n');
    const answers = stdout.trim().split('\n');
    expect(new Set(answers).size).toBe(1);
    expect(stderr).toContain('0 turns');
    for (const wrong of ['/dance', '/exit now', '/undo 3', '/save'])
      expect(await chat(`${wrong}\nthe\n`)).toMatchObject({ code: 2, stdout: '' });
  });

  test('a model without a template is refused', async () => {
    const { path } = await writeTinyModel();
    const { code, stderr } = await cachalot(['chat', '-m', path], 'x\n');
    expect(code).toBe(1);
    expect(stderr).toMatch(/template_missing/);
  });

  test('Ctrl-C stops the answer, again it leaves', async () => {
    const child = spawn(process.execPath, [cliPath, 'chat', '-m', model]);
    const ended = new Promise((exit) => child.once('exit', exit));
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    child.stdin.write('the\n'); // seconds of text
    await new Promise((seen) => child.stdout.once('data', seen));
    child.kill('SIGINT');
    child.stdin.write('/stats\n');
    while (!stderr.includes('conversation')) await new Promise((next) => setTimeout(next, 5));
    expect(Number(/answer (\d+) tokens/.exec(stderr)![1])).toBeLessThan(32_000);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
  });
});
