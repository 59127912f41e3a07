/** How fast a GPU is: kernels beside their bounds, and whole models. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Engine } from '#lib/engine.js';

import { randomWeight } from '../../test/fixtures/random-weight.js';
import { Random } from '../../test/random.js';
import { WEIGHT_TYPES } from '../../test/reference/dequantize.js';
import type { TimingBinding } from '../../test/testing.js';
import { SHAPES } from '../models/shapes.js';
import { writeSynthetic } from '../models/synthetic.js';

export interface Table {
  title: string;
  head: string[];
  rows: string[][];
}

const gigabytes = (bytes: number, us: number) => (bytes / us / 1e3).toFixed(0);
const teraflops = (operations: number, us: number) => (operations / us / 1e6).toFixed(1);

/** The four products of a layer of the llama-3.1-8b shape. */
function linearTable(timing: TimingBinding, device: string, rows: number): Table {
  const { width, ffn, heads, kvHeads, headDim } = SHAPES['llama-3.1-8b']!;
  const matrices = [
    [(heads + 2 * kvHeads) * headDim, width],
    [width, heads * headDim],
    [2 * ffn, width],
    [width, ffn],
  ] as const;
  const table: Table = {
    title: `linear, one layer of the llama-3.1-8b shape, ${rows} rows`,
    head: ['type', 'us', 'GB/s of weights', 'TFLOP/s'],
    rows: [],
  };
  for (const name of ['BF16', 'Q8_0', 'Q4_0', 'Q4_K', 'Q6_K', 'IQ2_XXS']) {
    const type = WEIGHT_TYPES.find((each) => each.name === name)!;
    let [us, bytes, operations] = [0, 0, 0];
    for (const [n, k] of matrices) {
      const weight = randomWeight(type, n * k, new Random(1));
      us += timing.timeLinear(device, 1, weight, type.type, n, k, rows);
      bytes += weight.length;
      operations += 2 * n * k * rows;
    }
    table.rows.push([name, us.toFixed(1), gigabytes(bytes, us), teraflops(operations, us)]);
  }
  return table;
}

function attentionTable(timing: TimingBinding, device: string): Table {
  const { heads, kvHeads, headDim } = SHAPES['llama-3.1-8b']!;
  const table: Table = {
    title: `attention and merge, ${heads}/${kvHeads} heads of ${headDim}`,
    head: ['sequences', 'rows each', 'context', 'us', 'GB/s of KV', 'TFLOP/s'],
    rows: [],
  };
  for (const [sequences, rows, context] of [
    [1, 1, 8192],
    [16, 1, 8192],
    [64, 1, 8192],
    [16, 1, 32768],
    [1, 512, 512],
    [1, 4096, 4096],
    [1, 512, 8192],
  ] as const) {
    const shape = { heads, kvHeads, headDim, rows, context, sequences };
    const us = timing.timeAttention(device, 1, shape);
    const bytes = sequences * context * kvHeads * headDim * 4;
    const pairs = rows * (context - rows) + (rows * (rows + 1)) / 2;
    table.rows.push([
      String(sequences),
      String(rows),
      String(context),
      us.toFixed(1),
      gigabytes(bytes, us),
      teraflops(4 * sequences * pairs * heads * headDim, us),
    ]);
  }
  return table;
}

async function generate(engine: Engine, prompts: number[][], maxTokens: number): Promise<number> {
  const start = performance.now();
  await Promise.all(
    prompts.map((ids) => engine.completeTokens(ids, { maxTokens, ignoreEos: true }).result),
  );
  return (performance.now() - start) / 1e3;
}

/** Whole models of random weights: prompts, decoding alone and together, and with a prefix in common. */
async function modelTable(library: string, shape: string, type: string): Promise<Table> {
  const folder = mkdtempSync(join(tmpdir(), 'cachalot-gpu-'));
  try {
    const path = join(folder, 'model.gguf');
    await writeSynthetic(path, { shape, type, context: 16384 });
    const start = performance.now();
    const engine = await Engine.loadWith(
      path,
      { device: 'cuda', draft: false },
      { cudaLibrary: library },
    );
    const loadSeconds = (performance.now() - start) / 1e3;
    const random = new Random(1);
    const ids = (n: number) => Array.from({ length: n }, () => 3 + random.below(30_000));
    const rows: string[][] = [['load', `${loadSeconds.toFixed(2)} s`]];
    await generate(engine, [ids(100)], 40);
    for (const n of [512, 4096])
      rows.push([
        `prompt of ${n}`,
        `${(n / (await generate(engine, [ids(n)], 1))).toFixed(0)} tokens/s`,
      ]);
    for (const n of [1, 16, 64]) {
      const prompts = Array.from({ length: n }, () => ids(128));
      await generate(engine, prompts, 1); // into the cache
      rows.push([
        `decode, ${n} together`,
        `${((n * 128) / (await generate(engine, prompts, 128))).toFixed(0)} tokens/s`,
      ]);
    }
    const prefix = ids(8192);
    const branches = Array.from({ length: 64 }, () => [...prefix, ...ids(16)]);
    await generate(engine, branches, 1);
    rows.push([
      'decode, 64 with 8192 tokens in common',
      `${((64 * 128) / (await generate(engine, branches, 128))).toFixed(0)} tokens/s`,
    ]);
    await engine.dispose();
    return {
      title: `${shape} shape, ${type}, ${engineBytes(shape, type)}`,
      head: ['what', 'speed'],
      rows,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const engineBytes = (shape: string, type: string) => `random weights (${shape}, ${type})`;

export async function* tables(
  timing: TimingBinding,
  device: string,
  library: string,
): AsyncGenerator<Table> {
  for (const rows of [1, 16, 512, 4096]) yield linearTable(timing, device, rows);
  yield attentionTable(timing, device);
  yield await modelTable(library, 'llama-3.2-1b', 'Q4_0');
  yield await modelTable(library, 'llama-3.1-8b', 'Q4_0');
}
