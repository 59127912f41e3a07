import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

import { newRecord } from '../../lib/files/lock-file.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { cachalot, cliPath } from './cachalot.js';

interface Line {
  index: number;
  id?: string;
  key: string;
  text?: string;
  error?: { code: string; message: string };
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

describe('cachalot batch', () => {
  let model: string;
  beforeAll(
    async () => void ({ path: model } = await writeTinyModel({ shape: { context: 32768 } })),
  );

  function write(lines: readonly unknown[]): string {
    const path = temporaryPath('input.jsonl');
    writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return path;
  }

  test('answers strings and objects, with options and ids of their own; bad lines fail alone', async () => {
    const input =
      '"the"\n\n{"id":"b","prompt":"the","maxTokens":3}\nno json\n{"prompt":7}\n{"prompt":"a","colour":1}\n{"prompt":[]}\n{"id":{},"prompt":"a"}\n"the"\n';
    const { code, stdout, stderr } = await cachalot(
      ['batch', '-m', model, '-n', '6', '--order', 'input', '-'],
      input,
    );
    expect(code).toBe(1); // some have failed
    const lines = linesOf(stdout);
    expect(lines.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(lines[7]!.text).toBe(lines[0]!.text);
    expect(lines[1]).toMatchObject({ id: 'b', usage: { completionTokens: 3 } });
    expect(lines.map(({ error }) => error?.message)).toEqual([
      undefined,
      undefined,
      expect.stringMatching(/^it is no JSON/),
      expect.stringMatching(/^it has no `prompt`/),
      expect.stringMatching(/^unknown option `colour`/),
      expect.stringMatching(/messages/),
      '`id` is neither a string nor a number',
      undefined,
    ]);
    expect(stderr).toMatch(/8 items, 5 failed; prompts \d+ tokens, .* answers 15 tokens at/);
  });

  test('--json summarizes on stderr, and an empty input is no error', async () => {
    const { code, stdout, stderr } = await cachalot(['batch', '-m', model, '--json', '-'], '');
    expect([code, stdout]).toEqual([0, '']);
    expect(JSON.parse(stderr)).toMatchObject({ items: 0, already: 0, failed: 0 });
  });

  test.each(['finished', 'input'])(
    'a kill in the middle, then the same command again: nothing lost, nothing twice (order %s)',
    async (order) => {
      const prompts = Array.from({ length: 60 }, (_, i) => ({
        id: `n${i}`,
        prompt: `the ${i}`,
        maxTokens: i === 59 ? 8_000 : 40 + 7 * (i % 5), // the last one takes seconds: the kill comes before
      }));
      const input = write(prompts);
      const output = temporaryPath('output.jsonl');
      const args = ['batch', '-m', model, '--order', order, '--output', output, input];
      const child = execFile(process.execPath, [cliPath, ...args]);
      const ended = new Promise((exit) => child.once('exit', (_, signal) => exit(signal)));
      const count = () => (existsSync(output) ? linesOf(whole(output)).length : 0);
      while (count() < 5) await new Promise((next) => setTimeout(next, 2));
      child.kill('SIGKILL');
      expect(await ended).toBe('SIGKILL');
      const before = linesOf(whole(output));
      expect(before.length).toBeLessThan(prompts.length);
      // As if the kill had hit in the middle of a line.
      writeFileSync(
        output,
        `${before.map((line) => JSON.stringify(line)).join('\n')}\n{"index":59,"id":"n59","ke`,
      );

      const again = await cachalot(args);
      expect(again.code).toBe(0);
      expect(again.stderr).toContain(`60 items (${before.length} were there), 0 failed`);
      const after = linesOf(readFileSync(output, 'utf8'));
      expect(after.slice(0, before.length)).toEqual(before);
      const indices = after.map(({ index }) => index);
      expect([...indices].sort((a, b) => a - b)).toEqual(prompts.map((_, i) => i));
      if (order === 'input') expect(indices).toEqual(prompts.map((_, i) => i));

      const fresh = linesOf(
        (await cachalot(['batch', '-m', model, '--order', 'input', input])).stdout,
      );
      expect([...after].sort((a, b) => a.index - b.index)).toEqual(
        fresh.map((line) => expect.objectContaining({ id: line.id, text: line.text }) as Line),
      );

      const third = await cachalot(args);
      expect(third.stderr).toContain('60 items (60 were there)');
      expect(linesOf(readFileSync(output, 'utf8'))).toEqual(after);
    },
  );

  test('Ctrl-C in the middle keeps what is done, and only whole answers', async () => {
    const prompts = Array.from({ length: 40 }, (_, i) => ({
      prompt: `a ${i}`,
      maxTokens: 5 + 400 * i,
    }));
    const input = write(prompts);
    const output = temporaryPath('output.jsonl');
    const args = ['batch', '-m', model, '--output', output, input];
    const child = execFile(process.execPath, [cliPath, ...args]);
    let stderr = '';
    child.stderr!.on('data', (text: string) => (stderr += text));
    const ended = new Promise((exit) => child.once('exit', exit));
    const written = () => (existsSync(output) ? linesOf(whole(output)) : []);
    while (written().length < 2) await new Promise((next) => setTimeout(next, 2));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(stderr).toContain('the same command again goes on');
    expect(written().length).toBeLessThan(prompts.length);
    for (const line of written())
      expect(line).toMatchObject({
        finishReason: 'length',
        index: line.index,
        text: expect.any(String) as string,
      });
    expect(existsSync(`${output}.lock`)).toBe(false);
  });

  test('Ctrl-C while the model is being loaded says the same', async () => {
    const output = temporaryPath('output.jsonl');
    const child = execFile(process.execPath, [
      cliPath,
      'batch',
      '-m',
      model,
      '-o',
      output,
      write(['a']),
    ]);
    const ended = new Promise((exit) => child.once('exit', exit));
    while (!existsSync(output)) await new Promise((next) => setTimeout(next, 1));
    child.kill('SIGINT');
    expect([0, 130]).toContain(await ended); // it may have been quicker
    expect(existsSync(`${output}.lock`)).toBe(false);
  });

  test('an output of another input is refused and stays as it was', async () => {
    const output = temporaryPath('output.jsonl');
    await cachalot(['batch', '-m', model, '-n', '2', '-o', output, write(['a', 'b'])]);
    const before = readFileSync(output, 'utf8');
    const other = await cachalot([
      'batch',
      '-m',
      model,
      '-n',
      '2',
      '-o',
      output,
      write(['a', 'c']),
    ]);
    expect(other).toMatchObject({ code: 2, stdout: '' });
    expect(other.stderr).toMatch(/line \d of '.*' is no answer to this input/);
    expect(readFileSync(output, 'utf8')).toBe(before);
    for (const options of [
      ['-n', '3'],
      ['--raw'],
      ['--system', 's'],
      ['--seed', '1'],
      ['--kv-format', 'f32'],
    ]) {
      const input = write(['a', 'b']);
      const changed = await cachalot([
        'batch',
        '-m',
        model,
        '-n',
        '2',
        ...options,
        '-o',
        output,
        input,
      ]);
      expect([options, changed.code]).toEqual([options, 2]);
    }
    expect(readFileSync(output, 'utf8')).toBe(before);
  });

  test('answers of one chat template are not gone on with by another of the same name', async () => {
    const template = temporaryPath('t.jinja');
    const output = temporaryPath('output.jsonl');
    const args = ['batch', '-m', model, '-n', '2', '--chat-template', template, '-o', output];
    args.push(write(['a', 'b']));
    const withText = (text: string) => {
      writeFileSync(template, text);
      return cachalot(args);
    };
    const one = '{% for m in messages %}{{ m.content }}{% endfor %}';
    expect(await withText(one)).toMatchObject({ code: 0 });
    const before = readFileSync(output, 'utf8');
    const other = await withText(`${one}!`);
    expect(other).toMatchObject({ code: 2 });
    expect(other.stderr).toMatch(/line 1 of '.*' is no answer to this input/);
    expect(readFileSync(output, 'utf8')).toBe(before);
    const again = await withText(one);
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('(2 were there)')]);
  });

  test.each([
    'something else\n',
    'no end of line',
    'two\nlines',
    '{"index":0,"key":"x"}\n',
    '\n',
    '{"ind',
  ])('a file that is none of ours (%j) is refused and stays as it was', async (content) => {
    const output = temporaryPath('notes.txt');
    writeFileSync(output, content);
    expect((await cachalot(['batch', '-m', model, '-o', output, write(['a'])])).code).toBe(2);
    expect(readFileSync(output, 'utf8')).toBe(content);
  });

  test('the input as its own output is refused', async () => {
    const input = write(['a']);
    const before = readFileSync(input, 'utf8');
    expect((await cachalot(['batch', '-m', model, '-o', input, input])).code).toBe(2);
    expect(readFileSync(input, 'utf8')).toBe(before);
  });

  test('a second process on the same output is refused; a device takes the answers', async () => {
    const input = write(['a']);
    const output = temporaryPath('output.jsonl');
    const record = newRecord('ours');
    writeFileSync(`${output}.lock`, JSON.stringify(record));
    const { code, stderr } = await cachalot(['batch', '-m', model, '-o', output, input]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/another process writes/)]);
    const killed = { ...record, start: '1' }; // of a process that was killed
    writeFileSync(`${output}.lock`, JSON.stringify(killed));
    expect((await cachalot(['batch', '-m', model, '-n', '2', '-o', output, input])).code).toBe(0);
    expect(existsSync(`${output}.lock`)).toBe(false);
    expect((await cachalot(['batch', '-m', model, '-n', '2', '-o', '/dev/null', input])).code).toBe(
      0,
    );
  });

  test('a bad option ends at once, with the output closed', async () => {
    const output = temporaryPath('output.jsonl');
    const bad = await cachalot(['batch', '-m', model, '--top-p', '2', '-o', output, write(['a'])]);
    expect(bad.code).toBe(2);
    expect(existsSync(`${output}.lock`)).toBe(false);
  });

  test('a missing input, or --system without a template, is one clear line', async () => {
    const missing = await cachalot(['batch', '-m', model, '/no/such.jsonl']);
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toMatch(/cannot read '\/no\/such.jsonl'.*\[io\]/);
    const system = await cachalot(['batch', '-m', model, '--system', 's', '-'], '"a"');
    expect(system.stderr).toMatch(/--system needs a model with a chat template/);
  });
});

/** The whole lines of a file that is being written. */
function whole(path: string): string {
  const text = readFileSync(path, 'utf8');
  return text.slice(0, text.lastIndexOf('\n') + 1);
}
