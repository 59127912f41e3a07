/**
 * npm run bench:trace: a recorded trace (Mooncake's conversations, FAST '25) as one offline batch. First in a simulation of the
 * scheduler at its real lengths, with a cost model in place of a model; then really, with all lengths divided by 100.
 */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';

import { integer } from '#lib/cli/flag-values.js';
import { Engine } from '#lib/engine.js';
import { Command } from 'commander';

import type {
  CostModel,
  Simulated,
  SimulatedTrace,
  SimulationOptions,
  TestingBinding,
} from '../test/testing.js';
import { barChart } from './tools/bar-chart.js';
import { syntheticModel } from './tools/model-files.js';
import { markdownTable, percent, saveResults } from './tools/results.js';

/** The addon of the tests, which has the simulation; a path that is no import, so that it is found from build/, too. */
const simulator = require(join(process.cwd(), 'build', 'test', 'cachalot_testing.node')) as Pick<
  TestingBinding,
  'simulate'
>;

const BLOCK = 512; // tokens that a hash of the trace stands for

/** The shape of Llama 3.1 8B in BF16 on an accelerator of 3 TB/s and 400 T op/s. */
const COSTS: CostModel = {
  weightBytes: 16e9,
  kvBytesPerToken: 131_072,
  operationsPerRow: 16e9,
  operationsPerKey: 4 * 32 * 128 * 32,
  bytesPerSecond: 3e12,
  operationsPerSecond: 400e12,
};
const STEP_ROWS = 2048;
const SCALE = 100;

interface Request {
  input_length: number;
  output_length: number;
  hash_ids: number[];
}

type Mode = 'prefix-grouped' | 'fcfs' | 'no cache';
const MODES: Mode[] = ['prefix-grouped', 'fcfs', 'no cache'];
const NAMES = {
  'prefix-grouped': 'prefix-grouped',
  fcfs: 'fcfs, LRU',
  'no cache': 'fcfs, no cache',
};

interface Row {
  mode: Mode;
  kvTokens: number;
  simulated: Simulated;
}

interface RealRow {
  mode: Mode;
  seconds: number;
  computed: number;
  distinct: number;
  kvBytes: number;
}

function read(path: string, limit: number): Request[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n').slice(0, limit);
  return lines.map((line) => JSON.parse(line) as Request);
}

function traceOf(requests: readonly Request[]): SimulatedTrace {
  let end = 0;
  return {
    lengths: Int32Array.from(requests, ({ input_length, hash_ids }) =>
      Math.min(input_length, BLOCK * hash_ids.length),
    ),
    outputs: Int32Array.from(requests, ({ output_length }) => Math.max(1, output_length)),
    hashes: Int32Array.from(requests.flatMap(({ hash_ids }) => hash_ids)),
    hashEnds: Int32Array.from(requests, ({ hash_ids }) => (end += hash_ids.length)),
    blockTokens: BLOCK,
  };
}

function simulateAll(requests: readonly Request[], kvTokens: readonly number[]): Row[] {
  const trace = traceOf(requests);
  return kvTokens.flatMap((tokens) =>
    MODES.map((mode) => {
      console.error(`simulating ${mode}, keys and values of ${tokens} tokens`);
      const schedule = mode === 'prefix-grouped' ? mode : 'fcfs';
      const options: SimulationOptions = {
        schedule,
        kvTokens: tokens,
        stepRows: STEP_ROWS,
        reuse: mode !== 'no cache',
      };
      return { mode, kvTokens: tokens, simulated: simulator.simulate(trace, options, COSTS) };
    }),
  );
}

/** The prompts with all lengths divided: block k of a prompt begins at token floor(512 k / 100). */
function promptsOf(requests: readonly Request[], vocabulary: number) {
  const size = Math.ceil(BLOCK / SCALE);
  return requests.map(({ input_length, output_length, hash_ids }) => {
    const length = Math.max(1, Math.floor(Math.min(input_length, BLOCK * hash_ids.length) / SCALE));
    const tokens: number[] = [];
    for (let k = 0; tokens.length < length; k++) {
      const until = Math.min(length, Math.floor(((k + 1) * BLOCK) / SCALE));
      for (let t = 0; tokens.length < until; t++)
        tokens.push(
          3 +
            (((hash_ids[k]! * size + t) * 7919 + (hash_ids[k]! >> 13) * 104_729 * (t + 1)) %
              (vocabulary - 3)),
        );
    }
    return { tokens, maxTokens: Math.max(1, Math.round(output_length / SCALE)) };
  });
}

async function runAll(requests: readonly Request[], kvBytes: number): Promise<RealRow[]> {
  const model = await syntheticModel({ shape: 'smollm2-135m', type: 'Q8_0' });
  const rows: RealRow[] = [];
  for (const mode of MODES) {
    console.error(`running ${mode}`);
    const prefixCache = mode !== 'no cache';
    await using engine = await Engine.load(model, { prefixCache, kv: { bytes: kvBytes } });
    const prompts = promptsOf(requests, engine.description.vocabulary);
    const distinct = distinctTokens(prompts.map(({ tokens }) => tokens));
    const schedule = mode === 'prefix-grouped' ? mode : 'fcfs';
    const start = performance.now();
    const batch = engine.createBatch(prompts, { schedule, ignoreEos: true });
    for (const { error } of await batch.results()) if (error) throw error;
    const seconds = (performance.now() - start) / 1000;
    const { rows: computed, generatedTokens } = engine.stats();
    const decoded = generatedTokens - prompts.length; // the first token of each comes from its prompt's last row
    rows.push({ mode, seconds, computed: computed - decoded, distinct, kvBytes });
  }
  return rows;
}

function distinctTokens(prompts: readonly number[][]): number {
  const root = new Map<number, unknown>();
  let count = 0;
  for (const tokens of prompts) {
    let node = root;
    for (const token of tokens) {
      let next = node.get(token) as Map<number, unknown> | undefined;
      if (!next) {
        node.set(token, (next = new Map()));
        count++;
      }
      node = next;
    }
  }
  return count;
}

function describe(
  rows: Row[],
  real: RealRow[],
  requests: number,
  realRequests: number,
  date: string,
) {
  const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown machine'}, Node ${process.version}`;
  const slowest = (kvTokens: number) =>
    rows.find((row) => row.mode === 'fcfs' && row.kvTokens === kvTokens)!.simulated.seconds;
  const simulated = markdownTable(
    [
      'keys and values, tokens',
      'schedule',
      'makespan, s',
      'against fcfs',
      'prompt tokens computed',
      'over the optimum',
      'peak in use',
      'scheduling, us per step',
    ],
    rows.map(({ mode, kvTokens, simulated: s }) => [
      String(kvTokens),
      NAMES[mode],
      s.seconds.toFixed(0),
      (slowest(kvTokens) / s.seconds).toFixed(2),
      String(s.promptRows),
      percent(s.promptRows / s.distinctTokens - 1),
      String(s.peakTokens),
      s.hostUs.toFixed(0),
    ]),
  );
  const fcfs = real.find(({ mode }) => mode === 'fcfs')?.seconds ?? 0;
  const ran = markdownTable(
    ['schedule', 'seconds', 'against fcfs', 'prompt tokens computed', 'over the optimum'],
    real.map(({ mode, seconds, computed, distinct }) => [
      mode === 'fcfs' ? 'fcfs' : NAMES[mode],
      seconds.toFixed(1),
      (fcfs / seconds).toFixed(2),
      String(computed),
      percent(computed / distinct - 1),
    ]),
  );
  const markdown = [
    `# A trace as a batch, ${date}`,
    '',
    `Mooncake's conversation trace, ${requests} requests at once. The optimum: each distinct token of their prefix tree is computed once.`,
    '',
    '## Simulated, at its lengths',
    '',
    `The engine's scheduler and prefix tree; a step takes what a roofline says: the shape of Llama 3.1 8B in BF16 at 3 TB/s and 400 T op/s, ${STEP_ROWS} rows a step. "fcfs, LRU" also computes once what waits together.`,
    '',
    simulated,
    '',
    ...(real.length === 0
      ? []
      : [
          `## Really, lengths divided by ${SCALE}`,
          '',
          `${machine}; smollm2-135m, Q8_0, random weights; the first ${realRequests} requests, ${(real[0]!.kvBytes / 1e6).toFixed(0)} MB of keys and values.`,
          '',
          ran,
          '',
        ]),
  ].join('\n');
  const svg = barChart({
    title: 'Makespan of the trace, seconds (simulated)',
    subtitle: `${requests} requests; ${date}`,
    series: MODES.map((mode) => NAMES[mode]),
    groups: [...new Set(rows.map(({ kvTokens }) => kvTokens))].map((kvTokens) => ({
      name: `${kvTokens} tokens of KV`,
      values: MODES.map(
        (mode) =>
          rows.find((row) => row.mode === mode && row.kvTokens === kvTokens)?.simulated.seconds,
      ),
    })),
  });
  return { markdown, json: { date, machine, costs: COSTS, rows, real }, svg };
}

interface Flags {
  requests: number;
  real: number;
  kv: number[];
  kvBytes: number;
}

async function main(path: string, flags: Flags): Promise<void> {
  if (!existsSync(path)) throw new Error(`there is no ${path}: give the path of the trace`);
  const requests = read(path, flags.requests);
  const rows = simulateAll(requests, flags.kv);
  const real = flags.real > 0 ? await runAll(requests.slice(0, flags.real), flags.kvBytes) : [];
  const date = new Date().toISOString().slice(0, 10);
  const report = describe(rows, real, requests.length, flags.real, date);
  console.log(report.markdown);
  console.log(`written to ${saveResults(`${date}-trace`, report)} (.json, .svg)`);
}

new Command('bench:trace')
  .description("Mooncake's conversation trace as one batch, simulated and really")
  .argument(
    '[trace]',
    'mooncake-conversation.jsonl',
    join('..', 'shared', 'data', 'mooncake-conversation.jsonl'),
  )
  .option('--requests <n>', 'of the trace, for the simulation', integer(1), 1e9)
  .option('--real <n>', 'of the trace, really; 0: none', integer(0), 2000)
  .option(
    '--kv <tokens>',
    'memory for keys and values in the simulation: numbers with commas between',
    (text) => text.split(',').map(integer(1)),
    [300_000, 1_000_000, 10_000_000],
  )
  .option('--kv-bytes <n>', 'memory for keys and values, really', integer(1), 100e6)
  .action(main)
  .parseAsync()
  .catch((error: unknown) => {
    console.error(`error: ${(error as Error).message}`);
    process.exitCode = 1;
  });
