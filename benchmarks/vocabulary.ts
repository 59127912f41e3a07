/**
 * npm run bench:vocabulary: how long a large vocabulary takes to load, and what that, long texts and DRY's breakers take of
 * the JavaScript thread: the most CPU time between two turns of its event loop.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { integer } from '#lib/cli/flag-values.js';
import { table } from '#lib/cli/table.js';
import { Engine } from '#lib/engine.js';
import { writeGguf } from '#lib/models/formats/gguf-writer.js';
import { native } from '#lib/native.js';
import { loadVocabulary } from '#lib/text/load-vocabulary.js';
import { TextTokenizer } from '#lib/text/tokenizer.js';
import { Command } from 'commander';

import { runMain } from './harness/main.js';
import { vocabularyMetadata } from './models/vocabulary.js';

const WIDTH = 32;

/** A model of one layer, whose vocabulary is nearly all of it. */
async function writeModel(path: string, tokens: number): Promise<void> {
  const metadata = {
    'general.architecture': { string: 'llama' },
    'llama.context_length': { u32: 65_536 },
    'llama.embedding_length': { u32: WIDTH },
    'llama.block_count': { u32: 1 },
    'llama.feed_forward_length': { u32: WIDTH },
    'llama.attention.head_count': { u32: 1 },
    'llama.attention.head_count_kv': { u32: 1 },
    'llama.attention.layer_norm_rms_epsilon': { f32: 1e-5 },
    ...vocabularyMetadata(tokens),
  };
  const square = ['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down'];
  const shapes: [string, number[]][] = [
    ['token_embd', [WIDTH, tokens]],
    ['output_norm', [WIDTH]],
    ['blk.0.attn_norm', [WIDTH]],
    ['blk.0.ffn_norm', [WIDTH]],
    ...square.map((name): [string, number[]] => [`blk.0.${name}`, [WIDTH, WIDTH]]),
  ];
  const tensors = shapes.map(([name, shape]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1)) / 6);
    const data = new Uint8Array(values.buffer);
    return { name: `${name}.weight`, shape, type: 0, data };
  });
  await writeGguf(path, metadata, tensors);
}

/** Of this thread, so that what others take from the machine does not count; where Linux tells it, else the time. */
function cpuMs(): number {
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8');
    return Number(text.split(' ')[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

async function measured(name: string, work: () => unknown): Promise<string[]> {
  let [longest, last] = [0, cpuMs()];
  const turn = () => {
    const now = cpuMs();
    [longest, last] = [Math.max(longest, now - last), now];
  };
  const timer = setInterval(turn, 1);
  const started = performance.now();
  await work();
  turn();
  clearInterval(timer);
  return [name, (performance.now() - started).toFixed(1), longest.toFixed(1)];
}

async function inOneThread(path: string): Promise<string[][]> {
  let tokenizer: TextTokenizer;
  return [
    await measured('read the file', () => native().readGguf(path)),
    await measured('read the file and make a vocabulary', async () => {
      tokenizer = new TextTokenizer(await loadVocabulary(path));
    }),
    await measured('make the maps for text', () => tokenizer.warm()),
    await measured('find the breakers of DRY', () => tokenizer.table.tokensWith(['\n', ':', '*'])),
  ];
}

async function withEngine(path: string): Promise<string[][]> {
  let engine: Engine;
  const long = 'abc bcd cde '.repeat(16_000);
  const dry = { multiplier: 1 };
  const rows = [
    await measured('load', async () => (engine = await Engine.load(path))),
    await measured('the first text', () => engine.complete('abc', { maxTokens: 1 }).result),
    await measured('another', () => engine.complete('abcd', { maxTokens: 1 }).result),
    await measured(
      'the first with DRY',
      () => engine.complete('abcde', { maxTokens: 1, dry }).result,
    ),
    await measured('a text of 190 KB, to its first token', () =>
      engine.complete(long, { maxTokens: 1 }).result.catch(() => 'too long'),
    ),
    await measured('engine.tokenize', () => engine.tokenize('abc bcd cde')),
  ];
  await engine!.dispose();
  return rows;
}

runMain(
  new Command('bench:vocabulary')
    .description('what a large vocabulary takes of the JavaScript thread')
    .option('-t, --tokens <n>', 'size of the vocabulary', integer(1000), 128_256)
    .action(async ({ tokens }: { tokens: number }) => {
      const folder = await mkdtemp(join(tmpdir(), 'cachalot-bench-'));
      try {
        const path = join(folder, 'vocabulary.gguf');
        await writeModel(path, tokens);
        const head = ['ms', 'longest turn'];
        console.log(`${tokens} tokens, Node ${process.versions.node}\n`);
        console.log(`${table(['what the worker does', ...head], await inOneThread(path))}\n`);
        console.log(table(['beside the engine', ...head], await withEngine(path)));
      } finally {
        await rm(folder, { recursive: true });
      }
    }),
);
