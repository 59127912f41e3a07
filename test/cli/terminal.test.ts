/** A chat at a terminal: util-linux's `script` makes one. */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { cliPath } from './cachalot.js';

function hasScript(): boolean {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
}

const TEMPLATE =
  '{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}';
const [PASTE, END] = ['\x1b[200~', '\x1b[201~'];
const [CTRL_C, CTRL_D] = ['\x03', '\x04'];

/** What is typed when a text has been seen. */
type Step = [string, string];

const describeAtTerminal = hasScript() ? describe : describe.skip; // only Linux has it

describeAtTerminal('a chat at a terminal', () => {
  let model: string;
  let cache: string;
  beforeAll(async () => {
    ({ path: model } = await writeTinyModel({ template: TEMPLATE, shape: { context: 4096 } }));
    cache = temporaryPath('cache');
  });

  async function talk(args: string[], steps: Step[], environment: Record<string, string> = {}) {
    const line = [process.execPath, cliPath, 'chat', '-n', '2', ...args].map((arg) => `'${arg}'`);
    const env = { ...process.env, TERM: 'xterm', XDG_CACHE_HOME: cache, ...environment };
    const child = spawn('script', ['-qec', line.join(' '), '/dev/null'], { env });
    let shown = '';
    let seen = 0;
    child.stdout.on('data', (data: Buffer) => {
      shown += data.toString();
      for (let at = next(); at >= 0; at = next()) {
        const [text, typed] = steps.shift()!;
        seen = at + text.length;
        child.stdin.write(typed);
      }
    });
    const next = () => (steps.length > 0 ? shown.indexOf(steps[0]![0], seen) : -1);
    const code = await new Promise((exit) => child.once('close', exit));
    expect(steps).toEqual([]);
    return { code, shown };
  }

  const saved = (path: string) =>
    (
      JSON.parse(readFileSync(path, 'utf8')) as { messages: { role: string; content: string }[] }
    ).messages.filter(({ role }) => role === 'user');

  test('several pasted lines are one message, and so is a block; terminals are asked to mark pastes', async () => {
    const path = temporaryPath('chat.json');
    const { code, shown } = await talk(
      ['-m', model],
      [
        ['> ', `${PASTE}/one\r\r  two\r${END}`],
        ['two', '\r'],
        ['> ', '"""\r'],
        ['... ', 'a\r'],
        ['... ', 'b"""\r'],
        ['> ', `/save ${path}\r`],
        ['> ', '/exit\r'],
      ],
    );
    expect(code).toBe(0);
    expect(saved(path).map(({ content }) => content)).toEqual(['/one\n\n  two', 'a\nb']);
    expect(shown).not.toMatch(/NULL|LLs/); // of a bar that was soon full
    const places = ['\x1b[?2004h', '\x1b[36m> ', '\x1b[?2004l'].map((text) => shown.indexOf(text));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThanOrEqual(0);
  });

  test('Ctrl-C drops what is typed, and a block; twice with nothing there, it leaves', async () => {
    const steps: Step[] = [
      ['> ', '"""\r'],
      ['... ', 'abc'],
      ['abc', CTRL_C],
      ['> ', CTRL_C],
      ['again to leave', CTRL_C],
    ];
    const { code, shown } = await talk(['-m', model], steps, { NO_COLOR: '1' });
    expect(code).toBe(130);
    expect(shown).not.toContain('\x1b[36m'); // no colours
  });

  test('without -m asks which model, if there are others than the default', async () => {
    const models = join(cache, 'cachalot', 'models');
    mkdirSync(join(models, 'hf', 'o', 'r'), { recursive: true });
    copyFileSync(model, join(models, 'tinyllama-1.1b-chat.gguf'));
    expect((await talk([], [['> ', CTRL_D]])).code).toBe(0); // nothing to choose from
    copyFileSync(model, join(models, 'hf', 'o', 'r', 'm.gguf'));
    const path = temporaryPath('chat.json');
    const question = 'takes 1) ';
    const chosen = await talk(
      [],
      [
        [question, '3\r'],
        [question, '2\r'],
        ['> ', `/save ${path}\r`],
        ['> ', CTRL_D],
      ],
    );
    expect(chosen.shown).toMatch(
      /1 {2}tinyllama-1\.1b-chat +476\.\d kB\r\n {2}2 {2}hf:o\/r\/m\.gguf/,
    );
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ model: 'hf:o/r/m.gguf' });
    expect((await talk([], [[question, CTRL_C]])).code).toBe(130);
    expect((await talk(['-m', model], [['> ', CTRL_D]])).shown).not.toContain('Which model');
  });
});
