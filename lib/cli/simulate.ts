/** `cachalot simulate`: how requests of a trace would fare on a machine, without running a model. */
import type { Command } from 'commander';

import { CachalotError } from '../errors.js';
import { simulationCosts } from '../estimate/estimate.js';
import { arrivalsOf, readRequests, traceOf } from '../estimate/trace-file.js';
import { inspectModel } from '../models/inspect.js';
import { native } from '../native.js';
import type { Simulated, SimulatedTrace } from '../native.js';
import { DEVICE_NAMES, checkDevice, deviceNamed } from './devices.js';
import { integer, numberBy, threads } from './flag-values.js';
import { interruptSignal, pullReporter } from './output.js';
import { sizeText } from './sizes.js';
import { table } from './table.js';
import { numberIn } from '../checks/check-options.js';

interface SimulateFlags {
  trace: string;
  device: string;
  threads?: number;
  requests?: number;
  speed: number;
  kvBytes?: number;
  stepTokens: number;
  cache: boolean;
  json?: boolean;
}

export function addSimulate(program: Command): void {
  program
    .command('simulate')
    .description(
      'how the requests of a trace would fare on a machine: the scheduler runs, a cost model stands for the model',
    )
    .argument('<model>', 'whose shape it is: file, folder, alias, hf:... or https://...')
    .requiredOption(
      '--trace <jsonl>',
      "requests: lines of { timestamp, input_length, output_length, hash_ids }, as Mooncake's traces have them",
    )
    .option('-d, --device <name>', DEVICE_NAMES.join(', '), DEVICE_NAMES[0])
    .option('-t, --threads <n>', 'CPU threads of this machine', threads)
    .option('-n, --requests <n>', 'only the first ones', integer(1))
    .option('--speed <x>', 'they arrive so many times faster', numberBy(numberIn(1e-6, 1e6)), 1)
    .option(
      '--kv-bytes <n>',
      'memory for keys and values (default: what the weights leave)',
      integer(1),
    )
    .option('--step-tokens <n>', 'rows of a step', integer(1, 65_536), 2048)
    .option('--no-cache', 'prompts find nothing of earlier ones')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  cachalot simulate model.gguf --trace conversation.jsonl --device h100 --requests 1000',
    )
    .action((name: string, flags: SimulateFlags) => simulate(name, flags));
}

async function simulate(name: string, flags: SimulateFlags): Promise<void> {
  const { signal } = interruptSignal();
  checkDevice(flags.device, flags.threads);
  const requests = await readRequests(flags.trace, flags.requests);
  const { report, end } = pullReporter();
  const inspection = await inspectModel(name, { signal, onProgress: report }).finally(end);
  const { shape, problem } = inspection;
  if (shape === undefined)
    throw new CachalotError('model_bad_value', problem ?? `${name} has no shape that is known`);
  const device = await deviceNamed(flags.device, flags.threads);
  const model = { ...inspection, shape };
  const costs = simulationCosts(model, device);
  const kvBytes = flags.kvBytes ?? device.memory - costs.weightBytes;
  const kvTokens = Math.floor(Math.min(kvBytes / costs.kvBytesPerToken, 2 ** 30));
  if (kvTokens < 32)
    throw new CachalotError(
      'kv_budget_exceeded',
      `${sizeText(Math.max(0, kvBytes))} hold no keys and values beside the weights`,
    );
  const arrivals = arrivalsOf(requests).map((time) => time / flags.speed);
  const trace = { ...traceOf(requests), arrivals };
  const simulated = await native().simulate(
    trace,
    { schedule: 'fcfs', kvTokens, stepRows: flags.stepTokens, reuse: flags.cache },
    costs,
  );
  const result = {
    model: name,
    device: device.name,
    kvTokens,
    ...summaryOf(simulated, trace),
  };
  process.stdout.write(`${flags.json ? JSON.stringify(result) : describe(result)}\n`);
}

type Result = ReturnType<typeof summaryOf> & { model: string; device: string; kvTokens: number };

const SHARES = { p50: 0.5, p90: 0.9, p99: 0.99 };

function summaryOf(simulated: Simulated, { arrivals, outputs, lengths }: SimulatedTrace) {
  const { firstToken, ended, seconds, promptRows, failed, steps, distinctTokens } = simulated;
  const done = [...firstToken.keys()].filter((i) => firstToken[i]! >= 0);
  const first = done.map((i) => firstToken[i]! - arrivals![i]! / 1000);
  const each = done
    .filter((i) => outputs[i]! > 1)
    .map((i) => (ended[i]! - firstToken[i]!) / (outputs[i]! - 1));
  const total = (values: Int32Array) => values.reduce((sum, value) => sum + value, 0);
  return {
    ...{ requests: lengths.length, failed, seconds, steps, promptRows, distinctTokens },
    promptTokens: total(lengths),
    generatedTokens: total(outputs),
    /** Seconds. */
    firstToken: percentiles(first),
    perToken: percentiles(each),
  };
}

function percentiles(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { p50: at(SHARES.p50), p90: at(SHARES.p90), p99: at(SHARES.p99) };
}

function describe(result: Result): string {
  const { requests, failed, seconds, promptTokens, promptRows, generatedTokens, kvTokens } = result;
  const row = (name: string, { p50, p90, p99 }: Result['firstToken']) => [
    name,
    ...[p50, p90, p99].map((value) => (1000 * value).toPrecision(4)),
  ];
  const computed = ((100 * promptRows) / promptTokens).toFixed(0);
  return [
    `${requests} requests on ${result.device}, keys and values of ${kvTokens} tokens: done after ${seconds.toFixed(1)} s, ${(generatedTokens / seconds).toFixed(1)} tokens/s${failed > 0 ? `, ${failed} failed` : ''}`,
    `computed ${promptRows} rows of prompts of ${promptTokens} tokens (${computed} %)`,
    table(
      ['ms', 'p50', 'p90', 'p99'],
      [row('to the first token', result.firstToken), row('per token', result.perToken)],
    ),
  ].join('\n');
}
