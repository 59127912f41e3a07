/** `cachalot estimate`: what a model would cost on a machine, op by op, without running it. */
import type { Command } from 'commander';

import { CachalotError, invalidArgument } from '../errors.js';
import type { Device } from '../estimate/devices.js';
import {
  STEP_ROWS,
  boundOps,
  decodeRates,
  expectedOps,
  largestBatch,
  prefillRates,
  seconds,
} from '../estimate/estimate.js';
import type { TimedOp } from '../estimate/estimate.js';
import { decodeShape, prefillShape } from '../estimate/ops.js';
import type { StepShape } from '../estimate/ops.js';
import type { ModelInfo } from '../models/formats/model-info.js';
import { inspectModel } from '../models/inspect.js';
import { DEVICE_NAMES, checkDevice, deviceNamed } from './devices.js';
import { integer, threads } from './flag-values.js';
import { interruptSignal, pullReporter } from './output.js';
import { sizeText } from './sizes.js';
import { table } from './table.js';

interface EstimateFlags {
  device: string;
  batch: number;
  context?: number;
  prompt?: number;
  threads?: number;
  json?: boolean;
}

export function addEstimate(program: Command): void {
  program
    .command('estimate')
    .description('what running a model would cost on a machine: bytes, operations, rates, by op')
    .argument(
      '<model>',
      'file, folder, alias, hf:... or https://... (of a remote file only the header is fetched)',
    )
    .option('-d, --device <name>', DEVICE_NAMES.join(', '), DEVICE_NAMES[0])
    .option('-b, --batch <n>', 'sequences that decode together', integer(1), 1)
    .option('-c, --context <tokens>', 'length of each (default: half of the longest)', integer(1))
    .option('-p, --prompt <tokens>', 'length of a prompt (default: 512)', integer(1))
    .option('-t, --threads <n>', 'CPU threads of this machine', threads)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      "\nThis machine is measured first, which takes a few seconds. Of other devices the makers' figures are taken, and nothing is known\n" +
        'of our kernels there: what is expected equals the bound.\n\nExamples:\n  cachalot estimate tinyllama-1.1b-chat\n' +
        '  cachalot estimate model.gguf --device h100 --batch 64 --context 4096\n' +
        '  cachalot estimate hf:owner/repo/model.gguf --json',
    )
    .action(async (name: string, flags: EstimateFlags) => {
      const { signal } = interruptSignal();
      const { report, end } = pullReporter();
      checkDevice(flags.device, flags.threads);
      const inspection = await inspectModel(name, { signal, onProgress: report }).finally(end);
      const { shape, problem } = inspection;
      if (shape === undefined)
        throw new CachalotError('model_bad_value', problem ?? `${name} has no shape that is known`);
      for (const flag of ['context', 'prompt'] as const)
        if ((flags[flag] ?? 1) > shape.contextLength)
          throw invalidArgument(`--${flag}`, `at most ${shape.contextLength}`, flags[flag]);
      const device = await deviceNamed(flags.device, flags.threads);
      const result = estimate({ ...inspection, shape }, device, flags);
      const text = () => describe(name, result);
      process.stdout.write(`${flags.json ? JSON.stringify({ model: name, ...result }) : text()}\n`);
    });
}

type Estimate = ReturnType<typeof estimate>;

function estimate(model: ModelInfo, device: Device, flags: EstimateFlags) {
  const { contextLength, kvBytesPerToken } = model.shape;
  const context = flags.context ?? Math.max(1, Math.floor(contextLength / 2));
  const { batch: sequences, prompt: tokens = Math.min(512, contextLength) } = flags;
  const formats = Object.entries(kvBytesPerToken).map(([format, bytes]) => ({
    format,
    prefill: prefillRates(model, device, { tokens, kvBytesPerToken: bytes }),
    decode: decodeRates(model, device, { sequences, context, kvBytesPerToken: bytes }),
    kvBytes: bytes * context * sequences,
    largestBatch: largestBatch(model, device, { context, kvBytesPerToken: bytes }),
  }));
  const ops = (step: StepShape) => ({
    bound: boundOps(model, device, step),
    expected: expectedOps(model, device, step),
  });
  return {
    device,
    ...{ context, sequences, tokens, formats },
    decode: ops(decodeShape(sequences, context, kvBytesPerToken.bf16)),
    prefill: ops(prefillShape(Math.min(tokens, STEP_ROWS), 0, kvBytesPerToken.bf16)),
  };
}

function describe(name: string, result: Estimate): string {
  const { device, context, sequences, tokens, formats, decode, prefill } = result;
  const { int8, bf16, f32 } = device.rates;
  const rate = (value: number) => `${(value / 1e12).toFixed(value < 1e13 ? 2 : 0)} T`;
  const source = device.isMeasured ? 'measured' : "its maker's figures";
  return [
    `${name} on ${device.name}: reads ${(device.readBytesPerSecond / 1e9).toFixed(0)} GB/s; INT8 ${rate(int8)}, BF16 ${rate(bf16)}, ` +
      `F32 ${rate(f32)} operations/s; ${sizeText(device.memory)} of memory (${source})`,
    table(
      [
        ...['KV', `prefill of ${tokens}, tokens/s`, 'bound'],
        ...[`decode, ${sequences} at ${context}, tokens/s`, 'bound', 'KV bytes', 'largest batch'],
      ],
      formats.map(({ format, prefill: p, decode: d, kvBytes, largestBatch: most }) => [
        ...[format, number(p.expected), number(p.bound), number(d.expected), number(d.bound)],
        ...[sizeText(kvBytes), String(most)],
      ]),
    ),
    opTable(`A step that decodes (${sequences} after ${context} tokens)`, decode),
    opTable(`The first ${Math.min(tokens, STEP_ROWS)} tokens of a prompt`, prefill),
  ].join('\n\n');
}

function opTable(title: string, ops: Estimate['decode']): string {
  const row = (
    { name, bytes, operations, arithmetic, seconds: time, bound }: TimedOp,
    i: number,
  ) => [
    ...[name, sizeText(bytes), (operations / 1e9).toFixed(3), arithmetic, bound],
    ...[milliseconds(time), milliseconds(ops.expected[i]!.seconds)],
  ];
  const all = [milliseconds(seconds(ops.bound)), milliseconds(seconds(ops.expected))];
  return table(
    [title, 'reads', 'billion operations', 'in', 'bound by', 'bound, ms', 'expected, ms'],
    [...ops.bound.map(row), ['in all', '', '', '', '', ...all]],
  );
}

const milliseconds = (time: number) => (1000 * time).toPrecision(3);
const number = (value: number) => value.toFixed(value < 100 ? 1 : 0);
