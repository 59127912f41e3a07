/**
 * npm run bench:mixed: sequences that generate while a long prompt is computed. How long they wait between tokens, with and
 * without it, and what the prompt pays: the target for steps (`maxStepMs`) is set from what the sequences take alone.
 */
import { availableParallelism, cpus, totalmem } from 'node:os';

import { randomTokens } from '#lib/bench/workload.js';
import { integer } from '#lib/cli/flag-values.js';
import { Engine } from '#lib/engine.js';
import { Command } from 'commander';

import { barChart } from './tools/bar-chart.js';
import { syntheticModel } from './tools/model-files.js';
import { markdownTable, percent, saveResults } from './tools/results.js';

const CONTEXT = 20_480;

interface Flags {
  prompt: number;
  sequences: number[];
  shapes: string[];
}

interface Row {
  shape: string;
  sequences: number;
  aloneP50: number;
  aloneP99: number;
  target: number;
  mixedP50: number;
  mixedP99: number;
  /** The same without a target. */
  freeP99: number;
  /** Tokens per second of the prompt: alone, beside the sequences with the target, and without. */
  promptAlone: number;
  promptMixed: number;
  promptFree: number;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** Sequences that generate until they are stopped, and the gaps between their tokens. */
class Generating {
  readonly #ends: Promise<void>[];
  readonly #stop = new AbortController();
  #gaps: number[] = [];

  constructor(engine: Engine, sequences: number) {
    const { vocabulary } = engine.description;
    this.#ends = Array.from({ length: sequences }, async (_, i) => {
      const options = { maxTokens: CONTEXT - 64, ignoreEos: true, signal: this.#stop.signal };
      const generation = engine.completeTokens(randomTokens(32, vocabulary, i), options);
      let last = 0;
      try {
        for await (const { id } of generation.tokens()) {
          const now = performance.now();
          if (last > 0 && id >= 0) this.#gaps.push(now - last);
          last = now;
        }
      } catch (error) {
        if (!this.#stop.signal.aborted) throw error;
      }
    });
  }

  /** Gaps since the last call. */
  take(): number[] {
    const gaps = this.#gaps;
    this.#gaps = [];
    return gaps;
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#ends);
  }
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds of a prompt that has not been seen before. */
async function prompt(engine: Engine, tokens: number, seed: number): Promise<number> {
  const ids = randomTokens(tokens, engine.description.vocabulary, seed);
  const start = performance.now();
  await engine.completeTokens(ids, { maxTokens: 1, ignoreEos: true }).result;
  return performance.now() - start;
}

async function measure(shape: string, sequences: number, tokens: number): Promise<Row> {
  const [name, type] = shape.split(':') as [string, string];
  const model = await syntheticModel({ shape: name, type, context: CONTEXT });
  const load = { contextLength: CONTEXT, kv: { bytes: Math.min(4e9, totalmem() / 2) } };
  const seeds = [100 + sequences, 200 + sequences, 300 + sequences] as const;
  let alone: number[];
  let free: number[];
  let freeMs: number;
  let aloneMs: number;
  {
    await using engine = await Engine.load(model, load);
    aloneMs = await prompt(engine, tokens, seeds[0]);
    const generating = new Generating(engine, sequences);
    await wait(1000);
    generating.take();
    await wait(4000);
    alone = generating.take();
    freeMs = await prompt(engine, tokens, seeds[1]);
    free = generating.take();
    await generating.end();
  }
  const aloneP50 = quantile(alone, 0.5);
  const target = 1.35 * aloneP50;
  await using engine = await Engine.load(model, { ...load, maxStepMs: target });
  const generating = new Generating(engine, sequences);
  await wait(2000);
  generating.take();
  const mixedMs = await prompt(engine, tokens, seeds[2]);
  const mixed = generating.take();
  await generating.end();
  return {
    shape,
    sequences,
    aloneP50,
    aloneP99: quantile(alone, 0.99),
    target,
    mixedP50: quantile(mixed, 0.5),
    mixedP99: quantile(mixed, 0.99),
    freeP99: quantile(free, 0.99),
    promptAlone: (1000 * tokens) / aloneMs,
    promptMixed: (1000 * tokens) / mixedMs,
    promptFree: (1000 * tokens) / freeMs,
  };
}

function describe(rows: Row[], tokens: number, date: string) {
  const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown machine'}, Node ${process.version}`;
  const ms = (value: number) => value.toFixed(1);
  const table = markdownTable(
    [
      'model',
      'sequences',
      'alone p50, ms',
      'p99',
      'target',
      'beside the prompt p50',
      'p99',
      'p99 / p50 alone',
      'p99 without target',
      'prompt alone, tokens/s',
      'beside',
      'share',
      'share without target',
    ],
    rows.map((row) => [
      row.shape,
      String(row.sequences),
      ms(row.aloneP50),
      ms(row.aloneP99),
      ms(row.target),
      ms(row.mixedP50),
      ms(row.mixedP99),
      (row.mixedP99 / row.aloneP50).toFixed(2),
      ms(row.freeP99),
      row.promptAlone.toFixed(0),
      row.promptMixed.toFixed(0),
      percent(row.promptMixed / row.promptAlone),
      percent(row.promptFree / row.promptAlone),
    ]),
  );
  const markdown = [
    `# Generating beside a long prompt, ${date}`,
    '',
    `${machine}; random weights. Gaps between tokens of sequences that generate, alone and while a prompt of ${tokens} tokens is computed; \`maxStepMs\` is 1.35 times the median gap alone.`,
    '',
    table,
    '',
  ].join('\n');
  const svg = barChart({
    title: 'Gaps between tokens, ms',
    subtitle: `${machine}; ${date}`,
    series: ['alone, p50', 'beside, p99', 'beside, no target, p99'],
    groups: rows.map((row) => ({
      name: `${row.shape}, ${row.sequences} sequences`,
      values: [row.aloneP50, row.mixedP99, row.freeP99],
    })),
  });
  return { markdown, json: { date, machine, tokens, rows }, svg };
}

async function main(flags: Flags): Promise<void> {
  const rows: Row[] = [];
  for (const shape of flags.shapes)
    for (const sequences of flags.sequences) {
      console.error(`${shape}, ${sequences} sequences`);
      rows.push(await measure(shape, sequences, flags.prompt));
    }
  const date = new Date().toISOString().slice(0, 10);
  const report = describe(rows, flags.prompt, date);
  console.log(report.markdown);
  console.log(`written to ${saveResults(`${date}-mixed`, report)} (.json, .svg)`);
}

const list = (text: string) => text.split(',');

new Command('bench:mixed')
  .description('the time between tokens while a long prompt is computed')
  .option('--prompt <tokens>', 'length of the prompt', integer(1), 16_384)
  .option(
    '--sequences <n,...>',
    'how many generate',
    (text) => list(text).map(integer(1)),
    [1, 4, 16],
  )
  .option('--shapes <shape:type,...>', 'models of random weights', list, ['smollm2-135m:Q8_0'])
  .action(main)
  .parseAsync()
  .catch((error: unknown) => {
    console.error(`error: ${(error as Error).message}`);
    process.exitCode = 1;
  });
