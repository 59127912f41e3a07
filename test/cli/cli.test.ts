import { execFile } from 'node:child_process';

import { tinyVocabulary, writeTinyModel } from '../fixtures/tiny-model.js';
import { cachalot, cliPath } from './cachalot.js';

describe('the command line', () => {
  let model: string;
  beforeAll(async () => void ({ path: model } = await writeTinyModel()));

  test('run --json prints one object with the documented fields', async () => {
    const { code, stdout } = await cachalot(['run', '-m', model, '-n', '7', '--json', 'the']);
    expect(code).toBe(0);
    const result = JSON.parse(stdout) as Record<string, unknown>;
    expect(Object.keys(result)).toEqual([
      'text',
      'tokens',
      'promptTokens',
      'cachedTokens',
      'finishReason',
      'timings',
    ]);
    expect(Object.keys(result['timings'] as object)).toEqual([
      'loadMs',
      'prefillMs',
      'decodeMs',
      'prefillTokensPerSecond',
      'decodeTokensPerSecond',
    ]);
    expect(result).toMatchObject({ promptTokens: 2, cachedTokens: 0, finishReason: 'length' });
    expect(result['tokens']).toHaveLength(7);
  });

  test('run streams the text to stdout and the rest to stderr; a pipe is a prompt', async () => {
    const json = await cachalot(['run', '-m', model, '-n', '7', '--json', 'the']);
    const piped = await cachalot(['run', '-m', model, '-n', '7', '--stats'], 'the');
    expect(piped).toMatchObject({
      code: 0,
      stdout: `${(JSON.parse(json.stdout) as { text: string }).text}\n`,
    });
    expect(piped.stderr).toMatch(/answer 7 tokens at [\d.]+\/s\ncpu, /);
  });

  test('the same seed gives the same answer', async () => {
    const run = () =>
      cachalot(['run', '-m', model, '-n', '20', '--temperature', '1', '--seed', '5', 'a']);
    expect(await run()).toEqual(await run());
  });

  test('score --json prints tokens, log-probabilities and perplexity', async () => {
    const { stdout } = await cachalot(['score', '-m', model, '--json', 'the inn']);
    const { tokens, logprobs, perplexity } = JSON.parse(stdout) as {
      tokens: number[];
      logprobs: number[];
      perplexity: number;
    };
    const { tokens: names } = tinyVocabulary();
    expect(tokens.map((id) => names[id]).slice(0, 2)).toEqual(['<s>', '▁the']);
    expect(logprobs).toHaveLength(tokens.length - 1);
    expect(perplexity).toBeGreaterThan(1);
    expect((await cachalot(['score', '-m', model, 'the inn'])).stdout).toMatch(
      /"the"|" the"[^]*perplexity [\d.]+/,
    );
  });

  test('doctor says what is here', async () => {
    const { code, stdout } = await cachalot(['doctor', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      binary: expect.stringMatching(/^works: \d instruction paths agree$/) as string,
      node: process.versions.node,
      cpu: expect.arrayContaining(['portable']) as string[],
    });
  });

  test.each([
    [
      ['run', '-m', '/no/such.gguf', 'x'],
      1,
      /^error: there is no file '\/no\/such.gguf'.*\[model_not_found\]\n$/,
    ],
    [['run', '-m', __filename, 'x'], 1, /\[file_bad_magic\]/],
    [['run', '--max-tokens', 'many', 'x'], 2, /expected an integer/],
    [['run', '--colour', 'x'], 2, /unknown option/],
    [['pull', 'hf:nothing'], 1, /\[source_invalid\]/],
    [['dance'], 2, /unknown command/],
  ])('%j ends with code %d and one clear line', async (args, code, message) => {
    const outcome = await cachalot(args);
    expect(outcome).toMatchObject({ code, stdout: '' });
    expect(outcome.stderr).toMatch(message);
    expect(outcome.stderr).not.toMatch(/\n\s+at /);
  });

  test('--debug shows where an error came from', async () => {
    expect((await cachalot(['--debug', 'run', '-m', '/no/such.gguf', 'x'])).stderr).toMatch(
      /\n\s+at /,
    );
  });

  test('every command has help with examples', async () => {
    const commands = [
      'run',
      'chat',
      'batch',
      'score',
      'inspect',
      'pull',
      'models',
      'bench',
      'doctor',
      'build',
    ];
    for (const command of [[], ...commands.map((name) => [name])]) {
      const { code, stdout } = await cachalot([...command, '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain('Examples:');
    }
  });

  test('a reader that leaves early is no error', async () => {
    const child = execFile(process.execPath, [cliPath, 'run', '-m', model, '-n', '400', 'the']);
    let stderr = '';
    child.stderr!.on('data', (chunk: string) => (stderr += chunk));
    child.stdout!.once('data', () => child.stdout!.destroy());
    const code = await new Promise((exit) => child.once('exit', (status) => exit(status)));
    expect([code, stderr]).toEqual([0, '']);
  });

  test('Ctrl-C ends an answer with code 130', async () => {
    const { path } = await writeTinyModel({ shape: { context: 32768 } }); // seconds of text
    const child = execFile(process.execPath, [cliPath, 'run', '-m', path, 'the']);
    await new Promise((seen) => child.stdout!.once('data', seen));
    child.kill('SIGINT');
    expect(await new Promise((exit) => child.once('exit', exit))).toBe(130);
  });
});
