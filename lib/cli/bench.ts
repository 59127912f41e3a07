/** `cachalot bench`: how fast a model runs here, and how fast it could. */
import type { MachinePeaks } from '../native.js';
import type { Command } from 'commander';

import { benchModel } from '../bench/model-bench.js';
import type { BenchReport, BenchRow } from '../bench/model-bench.js';
import { describeDevice } from '../engine/describe-device.js';
import { resolveModel } from '../models/pull.js';
import { addEngineOptions, loadOptions } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { integer } from './flag-values.js';
import { interruptSignal, pullReporter, statusLine } from './output.js';
import { sizeText } from './sizes.js';
import { table } from './table.js';

interface BenchFlags extends EngineFlags {
  runs: number;
  json?: boolean;
}

export function addBench(program: Command): void {
  const command = program
    .command('bench')
    .description('measure prefill and decoding, beside what this machine could do at most');
  addEngineOptions(command)
    .option('--runs <n>', 'runs of each measurement; the median counts', integer(1), 5)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  cachalot bench\n  cachalot bench -m model.gguf --threads 4 --json > result.json',
    )
    .action(async (flags: BenchFlags) => {
      const { signal } = interruptSignal();
      const { report, end } = pullReporter();
      const path = await resolveModel(flags.model, { signal, onProgress: report }).finally(end);
      const status = statusLine();
      const result = await benchModel(path, {
        load: await loadOptions(flags),
        runs: flags.runs,
        signal,
        onProgress: status.show,
      }).finally(status.end);
      const named = { ...result, model: flags.model };
      process.stdout.write(flags.json ? `${JSON.stringify(named)}\n` : `${describe(named)}\n`);
    });
}

const billions = (rate: number) => (rate / 1e9).toFixed(0);

function describe(report: BenchReport): string {
  const { peaks } = report;
  return [
    `${report.model} (${sizeText(report.fileBytes)}), ${describeDevice(report.device)}, KV ${report.kvFormat}; ${report.cpu}, Node ${report.node}`,
    `load ${report.loadMs.toFixed(0)} ms, peak memory ${sizeText(report.peakRssBytes)}`,
    ...(peaks ? [`this machine: ${describePeaks(peaks)}`] : []),
    '',
    table(
      ['', 'tokens/s', `range of ${report.runs}`, 'bound', 'share'],
      report.rows.map((row) => cells(row)),
    ),
  ].join('\n');
}

/** The limits of a machine, in words. */
export function describePeaks({ readBytesPerSecond, f32, bf16, int8 }: MachinePeaks): string {
  const withBf16 = bf16 > 0 ? `, BF16 ${billions(bf16)}` : '';
  return `reads ${billions(readBytesPerSecond)} GB/s; F32 ${billions(f32)}${withBf16}, INT8 ${billions(int8)} billion operations/s`;
}

function cells({ name, median, min, max, bound }: BenchRow): string[] {
  const rate = (value: number) => value.toFixed(value < 100 ? 1 : 0);
  return [
    name,
    rate(median),
    `${rate(min)}-${rate(max)}`,
    bound === undefined ? '' : rate(bound),
    bound === undefined ? '' : `${((100 * median) / bound).toFixed(0)} %`,
  ];
}
