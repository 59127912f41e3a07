/**
 * npm run bench:peer: Cachalot beside node-llama-cpp, on the same files in the same run. Each engine has its own process; they
 * take turns, and the peer runs with one thread and with all, of which the better one counts in each row.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';

import { summarize } from '#lib/bench/statistics.js';
import type { Summary } from '#lib/bench/statistics.js';
import { cacheFolder } from '#lib/models/cache-folder.js';
import { readModelInfo } from '#lib/models/model-info.js';
import { resolveModel } from '#lib/models/pull.js';
import { Command } from 'commander';

import { Driver } from './drivers/protocol.js';
import type { DriverOptions } from './drivers/protocol.js';
import { barChart } from './tools/bar-chart.js';
import { syntheticModel } from './tools/model-files.js';
import { markdownTable, rate, saveResults, slug } from './tools/results.js';

const PEER = 'node-llama-cpp@3.22.1';
const DEFAULT_MODELS = [
  'smollm2-135m:Q4_0',
  'smollm2-135m:Q8_0',
  'smollm2-135m:BF16',
  'llama-3.2-1b:Q4_0',
  'llama-3.2-1b:Q8_0',
  'llama-3.2-1b:Q4_K',
  'llama-3.2-1b:BF16',
  'llama-3.2-1b:IQ2_XXS',
  'tinyllama-1.1b-chat',
];
const PREFILLS = [128, 512, 2048];
const CONTEXTS = [128, 2048];
const DECODED = 48;
const LONGEST = 2304;

interface Row {
  name: string;
  /** Larger is better, or (milliseconds, bytes) smaller. */
  unit: 'tokens/s' | 'ms' | 'MB';
  ours: Summary;
  peer: Summary;
  peerThreads: number;
  /** Above 1: ours is better. */
  ratio: number;
}

interface ModelResult {
  model: string;
  rows: Row[];
}

/** Where the peer is installed; it is fetched when it is first needed. */
function peerModules(): string {
  const folder = join(cacheFolder(), 'peer');
  const modules = join(folder, 'node_modules');
  if (existsSync(join(modules, 'node-llama-cpp', 'package.json'))) return modules;
  console.error(`installing ${PEER} into ${folder}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  execFileSync(npm, ['install', '--no-audit', '--no-fund', '--ignore-scripts', PEER], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return modules;
}

class Contest {
  readonly #engines: { name: 'ours' | 'node-llama-cpp'; options: DriverOptions }[];
  readonly #values = new Map<string, number[][]>();

  /** `context`: what all engines make room for. `threads`: the peer's. */
  constructor(
    model: string,
    modules: string,
    readonly context: number,
    readonly threads: number[],
    readonly runs: number,
  ) {
    this.#engines = [
      { name: 'ours', options: { model, threads: Math.max(...threads), context } },
      ...threads.map((count) => ({
        name: 'node-llama-cpp' as const,
        options: { model, threads: count, context, modules },
      })),
    ];
  }

  /** Loading, each time in a new process and with nothing else going on. */
  async load(): Promise<void> {
    for (let run = 0; run < this.runs; run++) {
      await this.takeTurns('load', async (engine) => {
        const driver = new Driver(engine.name, engine.options);
        const ms = await driver.call('load');
        await driver.end();
        return ms;
      });
    }
  }

  async speed(): Promise<void> {
    const drivers = this.#engines.map(({ name, options }) => new Driver(name, options));
    for (const driver of drivers) await driver.call('load');
    const driverOf = (engine: { name: string }) => drivers[this.#engines.indexOf(engine as never)]!;
    for (const driver of drivers) await driver.call('prefill', PREFILLS[0]!); // warm-up
    const room = this.context - DECODED - 1;
    const contexts = [...new Set(CONTEXTS.map((tokens) => Math.min(tokens, room)))];
    for (let run = 0; run < this.runs; run++) {
      for (const tokens of PREFILLS.filter((count) => count < this.context))
        await this.takeTurns(`prefill ${tokens}`, (engine) =>
          driverOf(engine).call('prefill', tokens),
        );
      for (const context of contexts)
        await this.takeTurns(`decode at ${context}`, (engine) =>
          driverOf(engine).call('decode', context, DECODED),
        );
    }
    await this.takeTurns('peak memory', (engine) => driverOf(engine).call('memory'));
    for (const driver of drivers) await driver.end();
  }

  private async takeTurns(
    name: string,
    measure: (engine: {
      name: 'ours' | 'node-llama-cpp';
      options: DriverOptions;
    }) => Promise<number>,
  ): Promise<void> {
    const values = this.#values.get(name) ?? this.#engines.map(() => []);
    for (const [i, engine] of this.#engines.entries()) values[i]!.push(await measure(engine));
    this.#values.set(name, values);
  }

  rows(): Row[] {
    return [...this.#values].map(([name, values]) => {
      const unit = name === 'load' ? 'ms' : name === 'peak memory' ? 'MB' : 'tokens/s';
      const scale = unit === 'MB' ? 1e-6 : 1;
      const [ours, ...peers] = values.map((each) => summarize(each.map((value) => value * scale)));
      const better = (a: Summary, b: Summary) =>
        unit === 'tokens/s' ? b.median - a.median : a.median - b.median;
      const peer = [...peers].sort(better)[0]!;
      const ratio = unit === 'tokens/s' ? ours!.median / peer.median : peer.median / ours!.median;
      return {
        name,
        unit,
        ours: ours!,
        peer,
        peerThreads: this.threads[peers.indexOf(peer)]!,
        ratio,
      };
    });
  }
}

const NOTE =
  'Medians (ranges) of interleaved runs, each engine in a process of its own. A ratio above 1 means that Cachalot is better: ' +
  'faster, or with less time or memory. The peer runs with one thread and with all, and its better one counts in each row.';

function markdown(results: ModelResult[], title: string, machine: string): string {
  const cell = ({ median, min, max }: Summary) => `${rate(median)} (${rate(min)} to ${rate(max)})`;
  const sections = results.map(({ model, rows }) =>
    [
      `## ${model}`,
      '',
      markdownTable(
        ['', 'Cachalot', PEER, "peer's threads", 'ratio'],
        rows.map(({ name, unit, ours, peer, peerThreads, ratio }) => [
          `${name}, ${unit}`,
          cell(ours),
          cell(peer),
          String(peerThreads),
          ratio.toFixed(2),
        ]),
      ),
      '',
    ].join('\n'),
  );
  return [`# ${title}`, '', `${machine}. ${NOTE}`, '', ...sections].join('\n');
}

async function main(models: string[], flags: { runs: string; threads?: string }): Promise<void> {
  const all = flags.threads ? Number(flags.threads) : availableParallelism();
  const modules = peerModules();
  const results: ModelResult[] = [];
  for (const model of models) {
    const [shape, type] = model.split(':') as [string, string | undefined];
    const path = type ? await syntheticModel({ shape, type }) : await resolveModel(model, {});
    const { contextLength } = (await readModelInfo(path)).shape;
    const context = Math.min(LONGEST, contextLength);
    const contest = new Contest(path, modules, context, [...new Set([1, all])], Number(flags.runs));
    console.error(model);
    await contest.load();
    await contest.speed();
    results.push({
      model: type ? `${shape}, ${type}, random weights` : slug(model),
      rows: contest.rows(),
    });
    console.log(markdown(results.slice(-1), '', '').split('\n').slice(4).join('\n'));
  }
  const date = new Date().toISOString().slice(0, 10);
  const { version } = JSON.parse(
    readFileSync(join(modules, 'node-llama-cpp', 'package.json'), 'utf8'),
  ) as { version: string };
  const title = `Cachalot and node-llama-cpp ${version}, ${date}`;
  const machine = `${all} cores of ${cpus()[0]?.model ?? 'an unknown machine'}, Node ${process.version}`;
  const path = saveResults(`${date}-peer`, {
    markdown: markdown(results, title, machine),
    json: { date, machine, peer: `node-llama-cpp ${version}`, results },
    svg: barChart({
      title: 'Tokens per second',
      subtitle: `${machine}; ${date}`,
      series: ['Cachalot', `node-llama-cpp ${version}`],
      groups: results.flatMap(({ model, rows }) =>
        rows
          .filter(({ name }) => name === 'prefill 512' || name === 'decode at 128')
          .map(({ name, ours, peer }) => ({
            name: `${model.replace(', random weights', '')}, ${name}`,
            values: [ours.median, peer.median],
          })),
      ),
    }),
  });
  console.log(`written to ${path} (.json, .svg)`);
}

new Command('bench:peer')
  .description('compare with node-llama-cpp, which is installed when it is first needed')
  .argument('[models...]', 'SHAPE:TYPE of random weights, a file, or an alias', DEFAULT_MODELS)
  .option('--runs <n>', 'interleaved runs; medians count', '3')
  .option('--threads <n>', "the peer's larger number of threads (default: one per core)")
  .addHelpText(
    'after',
    '\nExamples:\n  npm run bench:peer\n  npm run bench:peer -- llama-3.2-1b:Q8_0 tinyllama-1.1b-chat --runs 3',
  )
  .action(main)
  .parseAsync()
  .catch((error: unknown) => {
    console.error(`error: ${(error as Error).message}`);
    process.exitCode = 1;
  });
