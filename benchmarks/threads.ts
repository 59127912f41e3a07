/**
 * npm run bench:threads: decoding with every number of threads and with none said, with one core busy elsewhere, and in two
 * engines at once.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';

import type { Summary } from '#lib/bench/statistics.js';
import { Workload, randomTokens } from '#lib/bench/workload.js';
import { integer } from '#lib/cli/flag-values.js';
import { Engine } from '#lib/engine.js';
import { Command } from 'commander';

import { describeMachine, printAndKeep, runMain, today } from './harness/main.js';
import { markdownTable, percent, rate } from './harness/results.js';
import { measureAll, mustEqual, repeat } from './harness/scenario.js';
import type { Scenario } from './harness/scenario.js';
import { syntheticModel } from './models/model-files.js';

const DEFAULT_MODELS = ['smollm2-135m:Q8_0', 'llama-3.2-1b:Q4_0'];
const CONTEXT = 128;
const DECODED = 96;

interface Row {
  name: string;
  /** Tokens per second, of all engines together. */
  speed: Summary;
}

interface Setting {
  name: string;
  /** Undefined: none said. */
  threads?: number;
  engines?: number;
  /** Whether another process does nothing but count meanwhile. */
  isCoreBusy?: boolean;
}

/** Engines that decode one sequence each. */
class ThreadsScenario implements Scenario<Row> {
  readonly name: string;
  readonly #setting: Setting;
  readonly #file: string;
  readonly #runs: number;
  /** The tokens that the first scenario has given. */
  readonly #expected: { tokens?: number[] };
  #engines: Engine[] = [];
  #workloads: Workload[] = [];
  #neighbour: ChildProcess | undefined;

  constructor(setting: Setting, file: string, runs: number, expected: { tokens?: number[] }) {
    this.name = setting.name;
    this.#setting = setting;
    this.#file = file;
    this.#runs = runs;
    this.#expected = expected;
  }

  async open(): Promise<void> {
    const { threads, engines = 1, isCoreBusy } = this.#setting;
    const options = {
      contextLength: CONTEXT + DECODED + 8,
      draft: false as const,
      ...(threads === undefined ? {} : { threads }),
    };
    if (isCoreBusy)
      this.#neighbour = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
    for (let i = 0; i < engines; i++) this.#engines.push(await Engine.load(this.#file, options));
    this.#workloads = this.#engines.map((engine) => new Workload(engine));
  }

  /** Threads change no bit. */
  async check(): Promise<void> {
    for (const engine of this.#engines) {
      const ids = randomTokens(CONTEXT, engine.description.vocabulary, 1);
      const { tokens } = await engine.completeTokens(ids, { maxTokens: 8, ignoreEos: true }).result;
      engine.clearCache();
      this.#expected.tokens ??= tokens;
      mustEqual(this.name, tokens, this.#expected.tokens);
    }
  }

  async warmUp(): Promise<void> {
    await this.decode();
  }

  async measure(): Promise<Row> {
    return { name: this.name, speed: await repeat(this.#runs, () => this.decode()) };
  }

  async close(): Promise<void> {
    this.#neighbour?.kill('SIGKILL');
    for (const engine of this.#engines) await engine.dispose();
  }

  private async decode(): Promise<number> {
    const rates = await Promise.all(this.#workloads.map((each) => each.decode(CONTEXT, DECODED)));
    return rates.reduce((sum, each) => sum + each, 0);
  }
}

function settings(): Setting[] {
  const all = availableParallelism();
  const counts = Array.from({ length: Math.ceil(Math.log2(all)) + 1 }, (_, i) =>
    Math.min(2 ** i, all),
  );
  return [
    ...counts.map((threads) => ({
      name: `${threads} ${threads === 1 ? 'thread' : 'threads'}`,
      threads,
    })),
    { name: 'nothing said' },
    { name: 'nothing said, one core busy elsewhere', isCoreBusy: true },
    { name: '1 thread, one core busy elsewhere', threads: 1, isCoreBusy: true },
    { name: 'two engines at once, together', engines: 2 },
  ];
}

function section(model: string, rows: readonly Row[], runs: number): string[] {
  const best = Math.max(
    ...rows.filter(({ name }) => /^\d+ threads?$/.test(name)).map((row) => row.speed.median),
  );
  const table = rows.map(({ name, speed: { median, min, max } }) => [
    name,
    rate(median),
    `${rate(min)} to ${rate(max)}`,
    percent(median / best),
  ]);
  return [
    `## ${model}, random weights`,
    '',
    markdownTable(['', 'tokens/s', `range of ${runs}`, 'of the best number of threads'], table),
    '',
  ];
}

async function main(models: string[], { runs }: { runs: number }): Promise<void> {
  const sections: string[] = [];
  const results: { model: string; rows: Row[] }[] = [];
  for (const model of models) {
    console.error(model);
    const [shape, type] = model.split(':') as [string, string];
    const file = await syntheticModel({ shape, type });
    await (await Engine.load(file)).dispose(); // from here on, all map what this load has kept
    const expected = {};
    const rows = await measureAll(
      settings().map((setting) => new ThreadsScenario(setting, file, runs, expected)),
    );
    results.push({ model, rows });
    sections.push(...section(model, rows, runs));
  }
  const markdown = [
    `# Threads, ${today()}`,
    '',
    `Decoding one sequence at ${CONTEXT} tokens of context; ${describeMachine()}.`,
    '',
    ...sections,
  ].join('\n');
  printAndKeep('threads', { markdown, json: { date: today(), results } });
}

runMain(
  new Command('bench:threads')
    .description(
      'decode with all numbers of threads, beside a busy core, and in two engines at once',
    )
    .argument('[models...]', 'SHAPE:TYPE of random weights', DEFAULT_MODELS)
    .option('--runs <n>', 'medians count', integer(1), 5)
    .addHelpText(
      'after',
      '\nExamples:\n  npm run bench:threads\n  npm run bench:threads -- qwen2.5-0.5b:Q4_0',
    )
    .action(main),
);
