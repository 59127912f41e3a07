/** What `run` and `score` are given: all of it is used, or refused. */
import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';

import { Engine } from '../../lib/engine.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { cachalot, cliPath } from './cachalot.js';
import type { Outcome } from './cachalot.js';

describe('the text of run and score', () => {
  let model: string;
  let engine: Engine;
  const [one, two] = [temporaryPath('one.txt'), temporaryPath('two.txt')];
  beforeAll(async () => {
    ({ path: model } = await writeTinyModel({ shape: { context: 32768 } }));
    engine = await Engine.load(model, { layoutCache: false });
    writeFileSync(one, '\ufeffone\n\n');
    writeFileSync(two, ' two');
  });

  afterAll(() => engine.dispose());

  /** By a shell, which connects a program to others by pipes. */
  function shell(line: string): Promise<Outcome> {
    return new Promise((resolve) => {
      const child = execFile(
        'bash',
        ['-c', line, process.execPath, cliPath, model, one, two],
        (error, stdout, stderr) =>
          resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
      child.stdin!.end();
    });
  }
  const score = async (pipe: string, args: string, redirection = '') => {
    const { stdout } = await shell(`${pipe} "$0" "$1" score -m "$2" --json ${args} ${redirection}`);
    return (JSON.parse(stdout) as { tokens: number[] }).tokens;
  };
  const scored = async (text: string) => (await engine.score(text)).tokens;

  test('is files, then the pipe, then the argument, with a blank line between them', async () => {
    const pipe = "printf 'piped\\n' |";
    expect(await score(pipe, '-f "$3" --file "$4" "last "')).toEqual(
      await scored('one\n\n two\n\npiped\n\nlast '),
    );
    expect(await score(pipe, '"last"')).toEqual(await scored('piped\n\nlast'));
    expect(await score(pipe, '-f - -f "$4"')).toEqual(await scored('piped\n\n two'));
    expect(await score(pipe, '-f "$4" -')).toEqual(await scored(' two\n\npiped\n'));
    expect(await score('', '-f "$3" "x"', '< "$4"')).toEqual(await scored('one\n\n two\n\nx'));
  });

  test('alone is used to the byte; nothing in a pipe, or /dev/null, is nothing', async () => {
    expect(await score("printf ' a\\n\\n' |", '')).toEqual(await scored(' a\n\n'));
    expect(await score('printf "" |', '"a b"')).toEqual(await scored('a b'));
    expect(await score('', '-f "$3"', '< /dev/null')).toEqual(await scored('one\n\n'));
  });

  test('goes into the prompt of run just so', async () => {
    const { stdout } = await shell(
      'printf piped | "$0" "$1" run -m "$2" -n 4 --json --raw -f "$4" last',
    );
    const alone = await cachalot([
      'run',
      '-m',
      model,
      '-n',
      '4',
      '--json',
      ' two\n\npiped\n\nlast',
    ]);
    const [all, same] = [stdout, alone.stdout].map(
      (text) => JSON.parse(text) as { tokens: number[] },
    );
    expect(all!.tokens).toEqual(same!.tokens);
  });

  test.each([
    ['run', '< /dev/null', 2, /give a text: as the argument, with --file, or through a pipe/],
    ['run', '< <(printf " \\n")', 2, /give a text/],
    ['run', '"" < /dev/null', 2, /give a text/],
    ['run', '-f "$3" -f "" < /dev/null', 2, /it is empty/],
    ['run', '-f - - < "$3"', 2, /standard input can be given once/],
    ['run', 'several words < /dev/null', 2, /too many arguments/],
    ['run', '--raw --system s x < /dev/null', 2, /--system needs a model with a chat template/],
    ['run', '-n 3 -n 4 x < /dev/null', 2, /'-n, --max-tokens <n>' is given twice/],
    ['run', '-f / < /dev/null', 1, /cannot read '\/': it is a folder/],
    ['run', 'x < <(printf "a\\n\\xe9")', 1, /cannot read standard input: line 2 is not UTF-8/],
    ['score', '< /dev/null', 2, /give a text/],
    ['batch', '< /dev/null', 2, /give a file of JSON lines/],
  ])('%s %s is refused before a model is loaded', async (command, rest, code, message) => {
    const outcome = await shell(`"$0" "$1" ${command} -m /no/such.gguf ${rest}`);
    expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringMatching(message)]);
    expect(outcome.stdout).toBe('');
  });

  test('that does not fit is an error, with nothing on stdout', async () => {
    const args = ['run', '-m', model, '-c', '4', 'far more than four tokens'];
    expect(await cachalot(args)).toMatchObject({ code: 1, stdout: '' });
  });

  test('with --raw may be blank, if it is said', async () => {
    const { code, stdout } = await cachalot(['run', '-m', model, '-n', '2', '--raw', '--json', '']);
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ promptTokens: 1 })]);
  });

  test('does not wait for a parent that leaves its pipe open, and refuses what comes too late', async () => {
    const open = (args: string[]) =>
      spawn(process.execPath, [cliPath, 'run', '-m', model, ...args]);
    const quiet = open(['-n', '2', 'the']);
    expect(await new Promise((exit) => quiet.once('exit', exit))).toBe(0);
    const late = open(['the']); // seconds of text
    let stderr = '';
    late.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    late.stdout.once('data', () => late.stdin.end('more'));
    expect(await new Promise((exit) => late.once('exit', exit))).toBe(2);
    expect(stderr).toContain('text came through standard input when the answer had begun');
  });

  test('says what it waits for', async () => {
    const child = spawn(process.execPath, [cliPath, 'run', '-m', model, '-n', '2']);
    const said = await new Promise((seen) => child.stderr.once('data', seen));
    expect(String(said)).toMatch(/^reading standard input until it ends/);
    child.stdin.end('a');
    expect(await new Promise((exit) => child.once('exit', exit))).toBe(0);
  });

  test('--top-p without --temperature has no effect, and that is said', async () => {
    const args = ['run', '-m', model, '-n', '2', '--top-p', '0.5', '--top-k', '4'];
    expect((await cachalot([...args, 'a'])).stderr).toMatch(/^--top-k, --top-p: without effect/);
    expect((await cachalot([...args, '--temperature', '1', 'a'])).stderr).toBe('');
  });
});

describe('a signal', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends an answer, and a wait for text, with code %d', async (signal, code) => {
    const { path } = await writeTinyModel({ shape: { context: 32768 } }); // seconds of text
    for (const args of [['the'], []]) {
      const child = spawn(process.execPath, [cliPath, 'run', '-m', path, ...args]);
      const sign = args.length > 0 ? child.stdout : child.stderr;
      await new Promise((seen) => sign.once('data', seen));
      child.kill(signal);
      expect(await new Promise((exit) => child.once('exit', exit))).toBe(code);
    }
  });
});
