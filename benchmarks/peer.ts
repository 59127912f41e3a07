/**
 * npm run bench:peer: Cachalot beside node-llama-cpp, on the same files in the same run, and both beside what this machine
 * could do at most.
 */
import { availableParallelism } from 'node:os';

import { integer } from '#lib/cli/flag-values.js';
import { readModelInfo } from '#lib/models/formats/model-info.js';
import { resolveModel } from '#lib/models/pull.js';
import { native } from '#lib/native.js';
import type { MachinePeaks } from '#lib/native.js';
import { Command } from 'commander';

import { peerModules, peerVersion } from './drivers/peer-modules.js';
import { Contest } from './peer/contest.js';
import { batchedRates } from './peer/llama-batched-bench.js';
import { markdown, section } from './peer/report.js';
import type { ModelResult } from './peer/report.js';
import { barChart } from './harness/bar-chart.js';
import { describeMachine, keepReport, runMain, today } from './harness/main.js';
import { SHAPES } from './models/shapes.js';
import { syntheticModel } from './models/model-files.js';
import { betterPeaks, slug } from './harness/results.js';

const DEFAULT_MODELS = [
  ...['smollm2-135m', 'qwen2.5-0.5b', 'llama-3.2-1b'].flatMap((shape) =>
    ['F16', 'BF16', 'Q8_0', 'Q4_0'].map((type) => `${shape}:${type}`),
  ),
  ...['Q4_K', 'Q6_K', 'IQ2_XXS'].map((type) => `llama-3.2-1b:${type}`),
  'tinyllama-1.1b-chat',
];
const CHARTED = ['prefill 512', 'decode at 128'];

interface Flags {
  runs: number;
  threads: number;
  batchedBench?: string;
}

async function contest(model: string, modules: string, flags: Flags): Promise<ModelResult> {
  const [shape, type] = model.split(':') as [string, string | undefined];
  const isSynthetic = type !== undefined && shape in SHAPES;
  const file = isSynthetic ? await syntheticModel({ shape, type }) : await resolveModel(model, {});
  const measure = () => native().measurePeaks('auto', flags.threads, file);
  const before = await measure();
  const onProgress = (what: string) => console.error(`${model}: ${what}`);
  const info = await readModelInfo(file);
  const { runs, threads } = flags;
  const all = new Contest({ file, info, modules, threads, runs, onProgress });
  await all.run();
  const peaks = betterPeaks(before, await measure());
  const rows = all.rows(peaks);
  if (flags.batchedBench) {
    const counts = rows.flatMap(({ name }) => /^decode, (\d+)/.exec(name)?.[1] ?? []).map(Number);
    const rates = batchedRates(flags.batchedBench, file, counts, threads);
    for (const [n, rate] of rates)
      rows.find(({ name }) => name === `decode, ${n} together`)!.llamaCpp = rate;
  }
  return {
    model: isSynthetic ? `${shape}, ${type}, random weights` : slug(model),
    machine: describe(peaks),
    rows,
  };
}

function describe({ readBytesPerSecond, f32, bf16, int8 }: MachinePeaks): string {
  const giga = (value: number) => (value / 1e9).toFixed(0);
  return (
    `The machine: ${giga(readBytesPerSecond)} GB/s; F32 ${giga(f32)}, ${bf16 > 0 ? `BF16 ${giga(bf16)}, ` : ''}` +
    `INT8 ${giga(int8)} billion operations per second.`
  );
}

/** What there is, if somebody stops it here. */
function keep(results: ModelResult[], version: string, threads: number): void {
  const date = today();
  const machine = describeMachine(`at most ${threads} threads`);
  keepReport('peer', {
    markdown: markdown(results, `Cachalot and node-llama-cpp ${version}, ${date}`, machine),
    json: { date, machine, peer: `node-llama-cpp ${version}`, results },
    svg: barChart({
      title: 'Tokens per second',
      subtitle: `${machine}; ${date}`,
      series: ['Cachalot', `node-llama-cpp ${version}`],
      groups: results.flatMap(({ model, rows }) =>
        rows
          .filter(({ name }) => CHARTED.includes(name))
          .map(({ name, ours, peer }) => ({
            name: `${model.replace(', random weights', '')}, ${name}`,
            values: [ours.median, peer.median],
          })),
      ),
    }),
  });
}

async function main(models: string[], flags: Flags): Promise<void> {
  const modules = peerModules();
  const version = peerVersion(modules);
  const results: ModelResult[] = [];
  for (const model of models) {
    results.push(await contest(model, modules, flags));
    console.log(section(results.at(-1)!));
    keep(results, version, flags.threads);
  }
}

runMain(
  new Command('bench:peer')
    .description('compare with node-llama-cpp, which is installed when it is first needed')
    .argument('[models...]', 'SHAPE:TYPE of random weights, a file, or an alias', DEFAULT_MODELS)
    .option('--runs <n>', 'interleaved runs; medians count', integer(1), 3)
    .option(
      '--threads <n>',
      'the most threads (default: one per core)',
      integer(1),
      availableParallelism(),
    )
    .option('--batched-bench <program>', "llama.cpp's llama-batched-bench, for one more column")
    .addHelpText(
      'after',
      '\nExamples:\n  npm run bench:peer\n  npm run bench:peer -- llama-3.2-1b:Q8_0 tinyllama-1.1b-chat --runs 5',
    )
    .action(main),
);
