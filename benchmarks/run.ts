/** npm run bench -- [options of `cachalot bench`]: prints the table, and keeps it under benchmarks/results/. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import type { BenchReport } from '#lib/bench/model-bench.js';
import { describePeaks } from '#lib/cli/bench.js';
import { describeDevice } from '#lib/engine/describe-device.js';

import { barChart } from './harness/bar-chart.js';
import { printAndKeep } from './harness/main.js';
import { markdownTable, percent, rate, slug } from './harness/results.js';

function run(args: readonly string[]): BenchReport | undefined {
  const cli = join(process.cwd(), 'dist', 'cli', 'main.js');
  const wantsHelp = args.includes('--help') || args.includes('-h');
  const { status, stdout } = spawnSync(
    process.execPath,
    [cli, 'bench', ...args, ...(wantsHelp ? [] : ['--json'])],
    { stdio: ['inherit', 'pipe', 'inherit'], encoding: 'utf8' },
  );
  process.exitCode = status ?? 1;
  if (status === 0 && !wantsHelp) return JSON.parse(stdout) as BenchReport;
  process.stdout.write(stdout);
  return undefined;
}

function markdown(report: BenchReport): string {
  const { peaks } = report;
  const giga = (value: number) => (value / 1e9).toFixed(0);
  const rows = report.rows.map(({ name, median, min, max, bound }) => [
    name,
    rate(median),
    `${rate(min)} to ${rate(max)}`,
    bound === undefined ? '' : rate(bound),
    bound === undefined ? '' : percent(median / bound),
  ]);
  return [
    `# ${slug(report.model)}, ${report.date}`,
    '',
    `${describeDevice(report.device)}, KV ${report.kvFormat}; ${report.cpu}, Node ${report.node}. File ${giga(1000 * report.fileBytes)} MB; load ` +
      `${report.loadMs.toFixed(0)} ms, peak memory ${giga(1000 * report.peakRssBytes)} MB.`,
    ...(peaks ? [`This machine, measured in the same run: ${describePeaks(peaks)}.`] : []),
    '',
    markdownTable(['tokens/s', `median of ${report.runs}`, 'range', 'bound', 'share'], rows),
    '',
    `\`npm run bench -- ${process.argv.slice(2).join(' ')}\``,
    '',
  ].join('\n');
}

const report = run(process.argv.slice(2));
if (report) {
  const { peaks } = report;
  const where = peaks ? `${peaks.instructions}-${peaks.threads}` : 'cuda';
  printAndKeep(`${slug(report.model)}-${where}`, {
    markdown: markdown(report),
    json: report,
    svg: barChart({
      title: `${slug(report.model)}: tokens per second`,
      subtitle: `${describeDevice(report.device)}; ${report.cpu}; ${report.date}`,
      series: ['measured', "the machine's bound"],
      groups: report.rows.map(({ name, median, bound }) => ({ name, values: [median, bound] })),
    }),
  });
}
