/**
 * npm run bench:threads: decoding with every number of threads and with none said, with one core busy elsewhere, and in two
 * engines at once.
 */
import { spawn } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';

import { summarize } from '#lib/bench/statistics.js';
import type { Summary } from '#lib/bench/statistics.js';
import { Workload } from '#lib/bench/workload.js';
import { integer } from '#lib/cli/flag-values.js';
import { Engine } from '#lib/engine.js';
import { Command } from 'commander';

import { syntheticModel } from './tools/model-files.js';
import { markdownTable, percent, rate, saveResults } from './tools/results.js';

const DEFAULT_MODELS = ['smollm2-135m:Q8_0', 'llama-3.2-1b:Q4_0'];
const CONTEXT = 128;
const DECODED = 96;

interface Row {
  name: string;
  speed: Summary;
}

class Bench {
  readonly #file: string;
  readonly #runs: number;

  constructor(file: string, runs: number) {
    this.#file = file;
    this.#runs = runs;
  }

  async rows(): Promise<Row[]> {
    const counts = Array.from(
      { length: Math.ceil(Math.log2(availableParallelism())) + 1 },
      (_, i) => Math.min(2 ** i, availableParallelism()),
    );
    const rows: Row[] = [];
    await (await this.load(undefined)).dispose(); // from here on, all map what this load has kept
    for (const threads of counts)
      rows.push({
        name: `${threads} ${threads === 1 ? 'thread' : 'threads'}`,
        speed: await this.decode(threads),
      });
    rows.push({ name: 'nothing said', speed: await this.decode(undefined) });
    rows.push({
      name: 'nothing said, one core busy elsewhere',
      speed: await withBusyCore(() => this.decode(undefined)),
    });
    rows.push({
      name: '1 thread, one core busy elsewhere',
      speed: await withBusyCore(() => this.decode(1)),
    });
    rows.push({ name: 'two engines at once, together', speed: await this.decodeTwice() });
    return rows;
  }

  private async decode(threads: number | undefined): Promise<Summary> {
    const engine = await this.load(threads);
    try {
      const workload = new Workload(engine);
      return await this.repeat(() => workload.decode(CONTEXT, DECODED));
    } finally {
      await engine.dispose();
    }
  }

  private async decodeTwice(): Promise<Summary> {
    const engines = await Promise.all([this.load(undefined), this.load(undefined)]);
    const workloads = engines.map((engine) => new Workload(engine));
    try {
      return await this.repeat(async () => {
        const rates = await Promise.all(workloads.map((each) => each.decode(CONTEXT, DECODED)));
        return rates[0]! + rates[1]!;
      });
    } finally {
      for (const engine of engines) await engine.dispose();
    }
  }

  private load(threads: number | undefined): Promise<Engine> {
    return Engine.load(this.#file, {
      contextLength: CONTEXT + DECODED + 8,
      ...(threads === undefined ? {} : { threads }),
    });
  }

  private async repeat(measure: () => Promise<number>): Promise<Summary> {
    await measure(); // warm-up
    const values: number[] = [];
    for (let run = 0; run < this.#runs; run++) values.push(await measure());
    return summarize(values);
  }
}

/** While another process does nothing but count. */
async function withBusyCore<T>(work: () => Promise<T>): Promise<T> {
  const neighbour = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
  try {
    return await work();
  } finally {
    neighbour.kill('SIGKILL');
  }
}

async function main(models: string[], { runs }: { runs: number }): Promise<void> {
  const date = new Date().toISOString().slice(0, 10);
  const sections: string[] = [];
  const results: { model: string; rows: Row[] }[] = [];
  for (const model of models) {
    console.error(model);
    const [shape, type] = model.split(':') as [string, string];
    const rows = await new Bench(await syntheticModel({ shape, type }), runs).rows();
    results.push({ model, rows });
    const best = Math.max(
      ...rows.filter(({ name }) => /^\d+ threads?$/.test(name)).map((row) => row.speed.median),
    );
    const table = rows.map(({ name, speed: { median, min, max } }) => [
      name,
      rate(median),
      `${rate(min)} to ${rate(max)}`,
      percent(median / best),
    ]);
    sections.push(
      `## ${model}, random weights`,
      '',
      markdownTable(['', 'tokens/s', `range of ${runs}`, 'of the best number of threads'], table),
      '',
    );
  }
  const text = [
    `# Threads, ${date}`,
    '',
    `Decoding one sequence at ${CONTEXT} tokens of context; ${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown machine'}, Node ${process.version}.`,
    '',
    ...sections,
  ].join('\n');
  console.log(text);
  const path = saveResults(`${date}-threads`, { markdown: text, json: { date, results } });
  console.log(`written to ${path} (.json)`);
}

new Command('bench:threads')
  .description('decode with all numbers of threads, beside a busy core, and in two engines at once')
  .argument('[models...]', 'SHAPE:TYPE of random weights', DEFAULT_MODELS)
  .option('--runs <n>', 'medians count', integer(1), 5)
  .addHelpText(
    'after',
    '\nExamples:\n  npm run bench:threads\n  npm run bench:threads -- qwen2.5-0.5b:Q4_0',
  )
  .action(main)
  .parseAsync()
  .catch((error: unknown) => {
    console.error(`error: ${(error as Error).message}`);
    process.exitCode = 1;
  });
