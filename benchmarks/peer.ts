/**
 * npm run bench:peer: Cachalot beside node-llama-cpp, on the same files in the same run. Each engine has its own process; they
 * take turns, and the peer runs with 1, 2, 4, ... threads up to all, of which the best number counts in each row.
 */
import { availableParallelism, cpus } from 'node:os';

import { summarize } from '#lib/bench/statistics.js';
import type { Summary } from '#lib/bench/statistics.js';
import { integer } from '#lib/cli/output.js';
import { readModelInfo } from '#lib/models/model-info.js';
import { resolveModel } from '#lib/models/pull.js';
import { Command } from 'commander';

import { peerModules, peerVersion } from './drivers/peer-modules.js';
import { Driver } from './drivers/protocol.js';
import type { DriverOptions } from './drivers/protocol.js';
import { barChart } from './tools/bar-chart.js';
import { SHAPES } from './tools/shapes.js';
import { syntheticModel } from './tools/model-files.js';
import { markdownTable, rate, saveResults, slug } from './tools/results.js';

const DEFAULT_MODELS = [
  'smollm2-135m:Q4_0',
  'smollm2-135m:Q8_0',
  'smollm2-135m:BF16',
  'llama-3.2-1b:Q4_0',
  'llama-3.2-1b:Q8_0',
  'llama-3.2-1b:Q4_K',
  'llama-3.2-1b:BF16',
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

interface Contestant {
  name: 'ours' | 'node-llama-cpp';
  options: DriverOptions;
}

class Contest {
  readonly #engines: Contestant[];
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
      await this.takeTurns('load', run, async ({ name, options }) => {
        const driver = new Driver(name, options);
        try {
          return await driver.call('load');
        } finally {
          await driver.end();
        }
      });
    }
  }

  async speed(): Promise<void> {
    const drivers = new Map(
      this.#engines.map((engine) => [engine, new Driver(engine.name, engine.options)]),
    );
    const call = (engine: Contestant, ...[method, ...args]: Parameters<Driver['call']>) =>
      drivers.get(engine)!.call(method, ...args);
    try {
      for (const engine of this.#engines) {
        await call(engine, 'load');
        await call(engine, 'prefill', PREFILLS[0]!); // warm-up
      }
      const room = this.context - DECODED - 1;
      const contexts = [...new Set(CONTEXTS.map((tokens) => Math.min(tokens, room)))];
      for (let run = 0; run < this.runs; run++) {
        for (const tokens of PREFILLS.filter((count) => count < this.context))
          await this.takeTurns(`prefill ${tokens}`, run, (engine) =>
            call(engine, 'prefill', tokens),
          );
        for (const context of contexts)
          await this.takeTurns(`decode at ${context}`, run, (engine) =>
            call(engine, 'decode', context, DECODED),
          );
      }
      await this.takeTurns('peak memory', 0, (engine) => call(engine, 'memory'));
    } finally {
      for (const driver of drivers.values()) await driver.end();
    }
  }

  /** Another one begins in each run. */
  private async takeTurns(
    name: string,
    run: number,
    measure: (engine: Contestant) => Promise<number>,
  ): Promise<void> {
    const values = this.#values.get(name) ?? this.#engines.map(() => []);
    for (let turn = 0; turn < this.#engines.length; turn++) {
      const i = (run + turn) % this.#engines.length;
      values[i]!.push(await measure(this.#engines[i]!));
    }
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
  'Medians (ranges) of interleaved runs, each engine in a process of its own, timed in JavaScript by the same clock. A ratio above 1 means ' +
  'that Cachalot is better: faster, or with less time or memory. The peer runs with 1, 2, 4, ... threads up to all, and its best number counts ' +
  'in each row. Load: from the file to an engine that takes prompts (the peer uses weights as they lie in the file where it can, Cachalot repacks ' +
  'quantized ones while it loads); starting the library is not counted. Peak memory (VmHWM) is taken once, at the end, and counts mapped files.';

function markdown(results: ModelResult[], title: string, machine: string): string {
  const cell = ({ median, min, max }: Summary) => `${rate(median)} (${rate(min)} to ${rate(max)})`;
  const sections = results.map(({ model, rows }) =>
    [
      `## ${model}`,
      '',
      markdownTable(
        ['', 'Cachalot', 'node-llama-cpp', "peer's threads", 'ratio'],
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

/** 1, 2, 4, ... and all. */
function threadCounts(all: number): number[] {
  const counts = [];
  for (let count = 1; count < all; count *= 2) counts.push(count);
  return [...counts, all];
}

function save(results: ModelResult[], version: string, threads: number): string {
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown machine'}, at most ${threads} threads, Node ${process.version}`;
  return saveResults(`${date}-peer`, {
    markdown: markdown(results, `Cachalot and node-llama-cpp ${version}, ${date}`, machine),
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
}

async function main(models: string[], flags: { runs: number; threads: number }): Promise<void> {
  const modules = peerModules();
  const version = peerVersion(modules);
  const results: ModelResult[] = [];
  let path = '';
  for (const model of models) {
    console.error(model);
    const [shape, type] = model.split(':') as [string, string | undefined];
    const isSynthetic = type !== undefined && shape in SHAPES;
    const file = isSynthetic
      ? await syntheticModel({ shape, type })
      : await resolveModel(model, {});
    const { contextLength } = (await readModelInfo(file)).shape;
    const context = Math.min(LONGEST, contextLength);
    const contest = new Contest(file, modules, context, threadCounts(flags.threads), flags.runs);
    await contest.load();
    await contest.speed();
    results.push({
      model: isSynthetic ? `${shape}, ${type}, random weights` : slug(model),
      rows: contest.rows(),
    });
    console.log(markdown(results.slice(-1), '', '').split('\n').slice(4).join('\n'));
    path = save(results, version, flags.threads); // what there is, if somebody stops it here
  }
  console.log(`written to ${path} (.json, .svg)`);
}

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
  .addHelpText(
    'after',
    '\nExamples:\n  npm run bench:peer\n  npm run bench:peer -- llama-3.2-1b:Q8_0 tinyllama-1.1b-chat --runs 5',
  )
  .action(main)
  .parseAsync()
  .catch((error: unknown) => {
    console.error(`error: ${(error as Error).message}`);
    process.exitCode = 1;
  });
