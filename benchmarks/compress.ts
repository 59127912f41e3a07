/**
 * npm run bench:compress: what compression saves after a long context. One sequence that reads what SnapKV has left of it, and 16 that share
 * what Chelsea has left. Times of attention are those of a step, less those of the same step after a short context.
 */
import { performance } from 'node:perf_hooks';

import { integer } from '#lib/cli/flag-values.js';
import { Engine } from '#lib/engine.js';
import type { Context } from '#lib/engine/context.js';
import { summarize } from '#lib/bench/statistics.js';
import { randomTokens } from '#lib/bench/workload.js';
import type { Compression } from '#lib/options/compress-options.js';
import { Command } from 'commander';

import { describeMachine, printAndKeep, runMain, today } from './harness/main.js';
import { markdownTable } from './harness/results.js';
import { syntheticModel } from './models/model-files.js';

interface Flags {
  model: string;
  context: number;
  budget: number;
  keep: number;
  sequences: number;
  runs: number;
}

const SHORT = 128;
const DECODED = 33;

interface Row {
  name: string;
  sequences: number;
  /** Of a step, in milliseconds. */
  stepMs: number;
  attentionMs: number;
  /** Of the context's keys and values. */
  bytes: number;
  /** How long the compression took, and how long the context took before it. */
  editMs?: number;
  prefillMs?: number;
}

class Bench {
  readonly #engine: Engine;
  readonly #flags: Flags;
  readonly #short = new Map<number, number>();

  constructor(engine: Engine, flags: Flags) {
    this.#engine = engine;
    this.#flags = flags;
  }

  async rows(): Promise<Row[]> {
    const { context, budget, keep, sequences } = this.#flags;
    const ids = randomTokens(context, this.#engine.description.vocabulary, 1);
    const begun = performance.now();
    const doc = await this.#engine.cache.add(ids, { pin: true });
    const prefillMs = performance.now() - begun;
    const short = await this.#engine.cache.add(ids.slice(0, SHORT), { pin: true });
    for (const count of [1, sequences])
      this.#short.set(count, await this.step(short, count, undefined));
    const rows = [await this.row('whole', doc, 1, undefined)];
    const snap: Compression = { policy: 'snap', budget, at: [context] };
    rows.push({ ...(await this.row(`snap to ${budget}`, doc, 1, snap)), prefillMs });
    rows.push(await this.row('whole, shared', doc, sequences, undefined));
    const small = await this.#engine.cache.compress(doc, { policy: 'chelsea', keep });
    rows.push(await this.row(`chelsea to ${100 * keep} %, shared`, small, sequences, undefined));
    return rows;
  }

  private async row(
    name: string,
    doc: Context,
    count: number,
    compress: Compression | undefined,
  ): Promise<Row> {
    console.error(name);
    const stepMs = await this.step(doc, count, compress);
    const edit = this.#engine.explainEdits().findLast(({ tokens }) => tokens === doc.length);
    const isCompressed = compress !== undefined || doc.kv !== undefined;
    return {
      name,
      sequences: count,
      stepMs,
      attentionMs: stepMs - this.#short.get(count)!,
      bytes: isCompressed ? edit!.bytes : doc.length * this.#engine.description.kvBytesPerToken,
      ...(isCompressed ? { editMs: edit!.ms } : {}),
    };
  }

  /** Of sequences that decode together after a context, each after a token of its own. */
  private async step(
    context: Context,
    count: number,
    compress: Compression | undefined,
  ): Promise<number> {
    const times: number[] = [];
    for (let run = 0; run <= this.#flags.runs; run++) {
      const batch = this.#engine.createBatch(
        Array.from({ length: count }, (_, i) => ({ context, tokens: [5 + i, 7 + run] })),
        { maxTokens: DECODED, ignoreEos: true, ...(compress ? { compress } : {}) },
      );
      const results = await batch.results();
      const decode = results.map((one) => {
        if (one.error) throw one.error;
        return (one.timings.decodeMs - editedMs(this.#engine, compress)) / (DECODED - 1);
      });
      if (run > 0) times.push(median(decode)); // the first is not measured
    }
    return median(times);
  }
}

const median = (values: readonly number[]) => summarize(values).median;

/** A prompt that was compressed inside is compressed once more at its end, after the first token. */
function editedMs(engine: Engine, compress: Compression | undefined): number {
  return compress === undefined ? 0 : engine.explainEdits().at(-1)!.ms;
}

function describe(rows: readonly Row[], flags: Flags): string[] {
  const [whole, snap, shared, chelsea] = rows as [Row, Row, Row, Row];
  const table = rows.map(({ name, sequences, stepMs, attentionMs, bytes, editMs }) => [
    name,
    String(sequences),
    stepMs.toFixed(1),
    attentionMs.toFixed(1),
    `${(bytes / 2 ** 20).toFixed(1)} MiB`,
    editMs === undefined ? '' : `${editMs.toFixed(0)} ms`,
  ]);
  const times = (a: number, b: number) => `${(a / b).toFixed(1)} times`;
  return [
    markdownTable(['', 'sequences', 'step, ms', 'of it attention', 'KV', 'compressed in'], table),
    '',
    `- one sequence: attention ${times(whole.attentionMs, snap.attentionMs)} as fast, KV ${times(whole.bytes, snap.bytes)} smaller`,
    `- ${flags.sequences} sequences: attention ${times(shared.attentionMs, chelsea.attentionMs)} as fast, the pool holds ${times(shared.bytes, chelsea.bytes)} as many tokens`,
    `- compressed in ${((100 * snap.editMs!) / snap.prefillMs!).toFixed(1)} % of the time of the prefill`,
  ];
}

async function main(flags: Flags): Promise<void> {
  const [shape, type] = flags.model.split(':') as [string, string];
  const file = await syntheticModel({ shape, type, context: flags.context + 4096 });
  const engine = await Engine.load(file, { draft: false });
  const rows = await new Bench(engine, flags).rows();
  const markdown = [
    `# Compression after ${flags.context} tokens, ${today()}`,
    '',
    `${flags.model}, random weights; ${describeMachine()}.`,
    '',
    ...describe(rows, flags),
    '',
  ].join('\n');
  await engine.dispose();
  printAndKeep('compress', { markdown, json: { date: today(), flags, rows } });
}

runMain(
  new Command('bench:compress')
    .description('what compression saves after a long context')
    .option('--model <shape:type>', 'of random weights', 'smollm2-135m:Q8_0')
    .option('--context <tokens>', 'length of the context', integer(256), 16_384)
    .option('--budget <keys>', 'what SnapKV keeps', integer(64), 2048)
    .option('--keep <share>', 'what Chelsea keeps', Number, 0.2)
    .option('--sequences <n>', 'how many share', integer(1), 16)
    .option('--runs <n>', 'the median of so many', integer(1), 3)
    .action(main),
);
