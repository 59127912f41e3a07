/** The benchmarks' own sums, and the models they make. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { barChart } from '../../benchmarks/harness/bar-chart.js';
import { SHAPES } from '../../benchmarks/models/shapes.js';
import { checkSynthetic, writeSynthetic } from '../../benchmarks/models/synthetic.js';
import { decodeBound, prefillBound } from '../../lib/bench/bound.js';
import { summarize } from '../../lib/bench/statistics.js';
import { Engine } from '../../lib/index.js';
import { readModelInfo } from '../../lib/models/formats/model-info.js';
import { native } from '../../lib/native.js';
import { cachalot } from '../cli/cachalot.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const PEAKS = {
  instructions: 'x',
  threads: 1,
  readBytesPerSecond: 1e9,
  f32: 1e9,
  bf16: 2e9,
  int8: 4e9,
};

test('medians', () => {
  expect(summarize([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  expect(summarize([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
});

test('bounds are those that one counts by hand', async () => {
  const { path } = await writeTinyModel({ type: 'Q8_0', tied: true });
  const info = await readModelInfo(path);
  const { width, ffnWidth, kvHeads, headDim, layers, heads, vocabulary } = info.shape;
  const perLayer = 2 * width * width + 2 * width * kvHeads * headDim + 3 * width * ffnWidth;
  const weights = layers * perLayer;
  const output = width * vocabulary;
  const bytesPerWeight = 34 / 32;
  const kv = 2 * layers * kvHeads * headDim * 2;
  const outputBytes = info.tensors.find(({ name }) => name === 'token_embd.weight')!.bytes;
  expect(decodeBound(info, PEAKS, 100, 'bf16')).toBeCloseTo(
    1e9 / (weights * bytesPerWeight + outputBytes + 100 * kv),
    6,
  );
  const tokens = 50;
  const outputRate = outputBytes === 4 * output ? 1e9 : 4e9;
  const seconds =
    (2 * tokens * weights) / 4e9 +
    (2 * output) / outputRate +
    (2 * heads * headDim * layers * tokens * (tokens + 1)) / 2e9;
  expect(prefillBound(info, PEAKS, tokens)).toBeCloseTo(tokens / seconds, 6);
});

test.each(['auto', 'portable'])(
  "the machine's peaks (%s) are numbers that can be",
  async (path) => {
    const peaks = await native().measurePeaks(path, 1, '');
    for (const rate of [peaks.f32, peaks.int8, peaks.readBytesPerSecond]) {
      expect(rate).toBeGreaterThan(1e8);
      expect(rate).toBeLessThan(1e14);
    }
    expect(peaks.threads).toBe(1);
  },
);

test('synthetic models are the same for the same seed, and run', async () => {
  const shape = { ...SHAPES['smollm2-135m']!, layers: 1, width: 64, ffn: 96, vocabulary: 2000 };
  SHAPES['tiny'] = { ...shape, heads: 4, kvHeads: 2, headDim: 16 };
  SHAPES['tiny-qwen'] = { ...SHAPES['tiny'], architecture: 'qwen2', tied: false };
  const hashOf = async (model: { shape: string; type: string; seed: number }) => {
    const path = temporaryPath('synthetic.gguf');
    await writeSynthetic(path, model);
    return { path, hash: createHash('sha256').update(readFileSync(path)).digest('hex') };
  };
  for (const model of [
    { shape: 'tiny', type: 'Q8_0', seed: 1 },
    { shape: 'tiny-qwen', type: 'BF16', seed: 1 },
  ]) {
    const first = await hashOf(model);
    expect((await hashOf(model)).hash).toBe(first.hash);
    expect((await hashOf({ ...model, seed: 2 })).hash).not.toBe(first.hash);
    await using engine = await Engine.load(first.path);
    const { text, tokens } = await engine.complete('hello there', { maxTokens: 5 }).result;
    expect(tokens).toHaveLength(5);
    expect(text).not.toBe('');
    const [logits] = await engine.logits([5, 6, 7]);
    expect(Math.max(...logits!)).toBeLessThan(100); // sane scales
    expect(new Set(logits).size).toBeGreaterThan(1900);
  }
});

test('a type whose blocks do not fit the shape is refused', () => {
  expect(() => checkSynthetic({ shape: 'smollm2-135m', type: 'Q4_K' })).toThrow(
    'Q4_K has blocks of 256, smollm2-135m has rows of 576',
  );
  expect(() => checkSynthetic({ shape: 'llama-3.2-1b', type: 'Q4_K' })).not.toThrow();
  expect(() => checkSynthetic({ shape: 'gpt-9', type: 'Q4_K' })).toThrow(/no shape 'gpt-9'/);
});

test('charts hold what they are given, as text and not as markup', () => {
  const svg = barChart({
    title: 'a < b',
    subtitle: '&',
    series: ['x', 'y'],
    groups: [
      { name: 'first', values: [10, 5] },
      { name: 'second', values: [1, undefined] },
    ],
  });
  expect(svg.match(/<rect/g)).toHaveLength(1 + 2 + 3);
  expect(svg).toContain('a &#60; b');
  const widths = [...svg.matchAll(/<rect x="[\d.]+" y="[\d.]+" width="([\d.]+)" height="13"/g)].map(
    ([, w]) => Number(w),
  );
  expect(widths[0]! / widths[1]!).toBeCloseTo(2, 1);
});

test('cachalot bench measures what fits into a context, with bounds', async () => {
  const { path } = await writeTinyModel({ shape: { context: 300 } });
  const { stdout } = await cachalot(['bench', '-m', path, '--runs', '2', '--json']);
  const report = JSON.parse(stdout) as {
    rows: { name: string; median: number; bound?: number }[];
    runs: number;
  };
  expect(report.rows.map(({ name }) => name)).toEqual([
    'prefill 128',
    'decode at 128',
    'decode at 251',
    'decode, 16 sequences',
  ]);
  for (const { median } of report.rows) expect(median).toBeGreaterThan(0);
  expect(report.rows[0]!.bound).toBeGreaterThan(0);
  const table = await cachalot(['bench', '-m', path, '--runs', '1', '-c', '32']);
  expect(table.stdout).toMatch(/this machine: reads \d+ GB\/s; F32 \d+/);
});
