/** The commands that judge and predict: `quality`, `estimate`, `convert`. */
import { copyFileSync, existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';

import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { cachalot } from './cachalot.js';

let model: string;
beforeAll(async () => void ({ path: model } = await writeTinyModel({ shape: { context: 2048 } })));

const SMALL = ['--tasks', 'needle', '--lengths', '200', '--samples', '1', '--passages', '1'];

describe('quality', () => {
  test('prints tables, and draws a chart', async () => {
    const svg = temporaryPath('chart.svg');
    const setting = 'short & <b>={"compress":{"policy":"window","window":16}}';
    const { stdout, code } = await cachalot([
      'quality',
      '-m',
      model,
      ...SMALL,
      '-s',
      setting,
      '--svg',
      svg,
    ]);
    expect(code).toBe(0);
    expect(stdout).toContain('short & <b>');
    for (const title of ['Settings', 'Tasks', 'Next-token distributions'])
      expect(stdout).toContain(title);
    const picture = readFileSync(svg, 'utf8');
    expect(picture).toMatch(/^<svg [^]*<\/svg>\n$/);
    expect(picture).toContain('short &#38; &#60;b&#62;');
  });

  test('--json holds everything, and --keep goes on', async () => {
    const keep = temporaryPath('keep.json');
    const args = ['quality', '-m', model, ...SMALL, '--json', '--keep', keep];
    const first = JSON.parse((await cachalot(args)).stdout) as Record<string, unknown>;
    expect(first).toMatchObject({ model, settings: [{ setting: 'baseline' }] });
    expect(first).toHaveProperty('unable', ['needle']);
    expect(JSON.parse((await cachalot(args)).stdout)).toEqual(first);
    const other = await cachalot([...args, '--seed', '5']);
    expect(other).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/another --keep/) as string,
    });
  });

  test('--keep knows another metric and a file of weights that was written again', async () => {
    const keep = temporaryPath('keep.json');
    const file = temporaryPath('ruler.jsonl');
    writeFileSync(file, '{"input":"Say 7.","outputs":["7"],"length":4}\n');
    const copy = temporaryPath('copy.gguf');
    copyFileSync(model, copy);
    const args = ['quality', '-m', copy, '--file', file, '--passages', '0', '--keep', keep];
    expect((await cachalot(args)).code).toBe(0);
    const kept = readFileSync(keep, 'utf8');
    expect((await cachalot([...args, '--metric', 'part'])).stderr).toMatch(/another --keep/);
    expect((await cachalot(args)).code).toBe(0);
    utimesSync(copy, 1e9, 1e9);
    expect((await cachalot(args)).stderr).toMatch(/another --keep/);
    expect(readFileSync(keep, 'utf8')).toBe(kept);
  });

  test('questions of a file', async () => {
    const file = temporaryPath('ruler.jsonl');
    writeFileSync(file, '{"input":"Say 7.","outputs":["7"],"length":4}\n');
    const args = ['quality', '-m', model, '--file', file, '--passages', '0', '--json'];
    const { stdout } = await cachalot([...args, '--metric', 'part']);
    expect(JSON.parse(stdout)).toMatchObject({ how: '1 questions of a file' });
  });

  test.each([
    [['-s', 'x'], /NAME=JSON/],
    [['-s', 'a={}', '-s', 'a={}'], /a name of its own/],
    [['--tasks', 'needle,none'], /no task "none"/],
    [['--lengths', '0'], /lengths/],
    [['--lengths', '5000'], /do not fit/],
    [['--haystack', '/no/such/file'], /no such file/],
    [['--file', '/no/such/file'], /no such file/],
    [['--metric', 'none'], /metric/],
    [['--metric', 'part'], /--file/],
    [['--file', 'a', '--file', 'b'], /given twice/],
    [['--file', 'a', '--samples', '2'], /--samples/],
    [['--file', 'a', '--questions', '2'], /--questions/],
    [['--svg', '/no/such/folder/x.svg'], /no such file or folder/],
  ])('%j is refused', async (args, message) => {
    const { code, stderr } = await cachalot(['quality', '-m', model, ...args]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(message);
  });
});

describe('estimate', () => {
  test('tells what a model costs on a named device', async () => {
    const args = ['estimate', model, '--device', 'h100', '--batch', '4', '--context', '100'];
    const { stdout } = await cachalot(args);
    expect(stdout).toMatch(/NVIDIA H100[^]*largest batch[^]*attention[^]*in all/);
    const result = JSON.parse((await cachalot([...args, '--json'])).stdout) as {
      formats: { decode: { bound: number; expected: number } }[];
    };
    expect(result.formats).toHaveLength(2);
    for (const { decode } of result.formats) expect(decode.expected).toBe(decode.bound);
  });

  test('tells what it costs here', async () => {
    const { stdout } = await cachalot(['estimate', model, '--threads', '1', '--json']);
    const { device } = JSON.parse(stdout) as { device: { isMeasured: boolean } };
    expect(device.isMeasured).toBe(true);
  });

  test.each([
    [['--device', 'none'], /one of this, a100/],
    [['--device', 'h100', '--threads', '2'], /--threads/],
    [['--device', 'h100', '--prompt', '100000000000'], /--prompt/],
    [['--device', 'h100', '--context', '4096'], /--context/],
    [['--batch', '0'], /batch/],
    [['--context', 'x'], /context/],
  ])('%j is refused', async (args, message) => {
    const { code, stderr } = await cachalot(['estimate', model, ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  test('a model that is not there is named', async () => {
    const { code, stderr } = await cachalot(['estimate', '/no/such/model', '--device', 'h100']);
    expect(code).toBe(1);
    expect(stderr).toContain("no file '/no/such/model'");
  });
});

describe('simulate', () => {
  const request = { timestamp: 0, input_length: 700, output_length: 5, hash_ids: [0, 1] };
  const traceOf = (...requests: unknown[]) => {
    const path = temporaryPath('trace.jsonl');
    writeFileSync(path, requests.map((one) => JSON.stringify(one)).join('\n'));
    return path;
  };
  const simulate = (path: string, ...args: string[]) =>
    cachalot(['simulate', model, '--trace', path, '--device', 'h100', ...args]);

  test('tells how the requests of a trace would fare', async () => {
    // The second has all blocks of the first; they come in another order than they stand.
    const later = { ...request, timestamp: 5000, hash_ids: [0, 1, 2], input_length: 1100 };
    const path = traceOf(later, request);
    const result = JSON.parse((await simulate(path, '--json')).stdout) as Record<string, number>;
    expect(result).toMatchObject({
      ...{ requests: 2, failed: 0, promptTokens: 1800, generatedTokens: 10 },
    });
    expect(result['seconds']).toBeGreaterThan(5);
    expect(result['seconds']).toBeLessThan(6);
    // What is shared of the first's text: 700 tokens, in whole blocks of 32 at least.
    expect(result['promptRows']).toBeLessThanOrEqual(1800 - 672);
    const cold = await simulate(path, '--json', '--no-cache');
    expect(JSON.parse(cold.stdout)).toMatchObject({ promptRows: 1800 });
    const fast = await simulate(path, '--json', '--speed', '10');
    expect((JSON.parse(fast.stdout) as typeof result)['seconds']).toBeLessThan(1);
    expect((await simulate(path, '--requests', '1')).stdout).toMatch(/^1 requests on NVIDIA H100/);
  });

  test.each([
    [[], /no lines/],
    [[{ ...request, timestamp: -1 }], /line 1 .*no request/],
    [[request, { ...request, hash_ids: [] }], /line 2 .*no request/],
    [[{ ...request, hash_ids: [1e12] }], /no request/],
    [[{ ...request, input_length: 'x' }], /no request/],
    [[null], /no request/],
  ])('%j is refused', async (requests, message) => {
    const { code, stderr } = await simulate(traceOf(...requests));
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  test('memory that holds nothing is refused', async () => {
    const { code, stderr } = await simulate(traceOf(request), '--kv-bytes', '100');
    expect(code).toBe(1);
    expect(stderr).toContain('kv_budget_exceeded');
  });
});

describe('convert', () => {
  test('writes a file that runs', async () => {
    const output = temporaryPath('out.gguf');
    const { stdout } = await cachalot(['convert', model, output, '--type', 'Q8_0', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ output });
    expect((await cachalot(['run', '-m', output, 'the inn', '--max-tokens', '2'])).code).toBe(0);
  });

  test('another type is refused, and nothing is written', async () => {
    const output = temporaryPath('out.gguf');
    const { code, stderr } = await cachalot(['convert', model, output, '--type', 'Q4_K']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/F32, F16, BF16, Q8_0/);
    expect(existsSync(output)).toBe(false);
  });
});
