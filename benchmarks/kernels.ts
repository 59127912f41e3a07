/**
 * npm run bench:kernels: every op beside what this machine could do at most, which is measured before and after. Microseconds,
 * GB/s or billions of operations per second, and the share of the bound that memory or the arithmetic sets.
 */
import { cpus } from 'node:os';

import { integer } from '#lib/cli/flag-values.js';
import { native } from '#lib/native.js';
import type { MachinePeaks } from '#lib/native.js';
import { Command } from 'commander';

import { printAndKeep, runMain, today } from './harness/main.js';
import { attentionMergePoints } from './kernels/attention-merge.bench.js';
import { attentionPoints } from './kernels/attention.bench.js';
import { checkFinitePoints } from './kernels/check-finite.bench.js';
import { gatherRowsPoints } from './kernels/gather-rows.bench.js';
import { keepQueriesPoints } from './kernels/keep-queries.bench.js';
import { kvCopyPoints } from './kernels/kv-copy.bench.js';
import { kvGatherPoints } from './kernels/kv-gather.bench.js';
import { kvMergePoints } from './kernels/kv-merge.bench.js';
import { kvSignalPoints } from './kernels/kv-signal.bench.js';
import { kvWritePoints } from './kernels/kv-write.bench.js';
import { linearPoints } from './kernels/linear.bench.js';
import { rmsNormPoints } from './kernels/rms-norm.bench.js';
import { samplePoints } from './kernels/sample.bench.js';
import { selectRowsPoints } from './kernels/select-rows.bench.js';
import { siluMulPoints } from './kernels/silu-mul.bench.js';
import { boundOf } from './kernels/point.js';
import type { KernelPoint } from './kernels/point.js';
import { betterPeaks, markdownTable, percent } from './harness/results.js';
import { testing } from './harness/testing-addon.js';

const TYPES = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_K', 'Q6_K', 'IQ2_XXS'];
const OPS: Record<string, (types: readonly string[]) => KernelPoint[]> = {
  linear: linearPoints,
  attention: attentionPoints,
  attention_merge: attentionMergePoints,
  kv_write: kvWritePoints,
  kv_copy: kvCopyPoints,
  kv_gather: kvGatherPoints,
  kv_merge: kvMergePoints,
  keep_queries: keepQueriesPoints,
  kv_signal: kvSignalPoints,
  gather_rows: gatherRowsPoints,
  select_rows: selectRowsPoints,
  rms_norm: rmsNormPoints,
  silu_mul: siluMulPoints,
  check_finite: checkFinitePoints,
  sample: samplePoints,
};

interface Timed extends Pick<
  KernelPoint,
  'op' | 'kind' | 'shape' | 'rows' | 'bytes' | 'operations'
> {
  us: number;
  boundUs: number;
  by: 'memory' | 'arithmetic';
}

interface Flags {
  instructions: string;
  threads: number;
  types: string;
  json?: boolean;
}

const giga = (value: number) => (value / 1e9).toFixed(value < 1e10 ? 1 : 0);

function markdown(title: string, peaks: MachinePeaks, timed: readonly Timed[]): string {
  const rows = timed.map(({ op, kind, shape, rows: n, us, boundUs, by, bytes, operations }) => [
    op,
    kind,
    shape,
    String(n),
    us.toFixed(us < 100 ? 1 : 0),
    by === 'memory'
      ? `${giga((1e6 * bytes) / us)} GB/s`
      : `${giga((1e6 * operations) / us)} G op/s`,
    percent(boundUs / us),
  ]);
  return [
    `# ${title}`,
    '',
    `${peaks.instructions}, ${peaks.threads} threads; ${cpus()[0]?.model ?? 'an unknown machine'}, Node ${process.version}. The machine reads ` +
      `${giga(peaks.readBytesPerSecond)} GB/s; billions of operations per second: F32 ${giga(peaks.f32)}, ` +
      `${peaks.bf16 > 0 ? `BF16 ${giga(peaks.bf16)}, ` : ''}INT8 ${giga(peaks.int8)}. Weights, keys and values of long contexts lie beyond the caches, all else in them; the best of seven runs. What the caches hold of the rest can make a share exceed 100 %.`,
    '',
    markdownTable(['op', 'kind', 'shape', 'rows', 'us', 'rate', 'of the bound'], rows),
    '',
  ].join('\n');
}

async function main(ops: string[], flags: Flags): Promise<void> {
  const chosen = ops.length > 0 ? ops : Object.keys(OPS);
  const unknown = chosen.find((op) => !(op in OPS));
  if (unknown) throw new Error(`no op '${unknown}': there are ${Object.keys(OPS).join(', ')}`);
  const measure = () => native().measurePeaks(flags.instructions, flags.threads, '');
  const before = await measure();
  const points = chosen.flatMap((op) => OPS[op]!(flags.types.split(',')));
  const us = points.map((point, i) => {
    process.stderr.write(`\r${i + 1} of ${points.length}`);
    return point.time(testing, before.instructions, before.threads);
  });
  process.stderr.write('\n');
  const peaks = betterPeaks(before, await measure());
  const timed = points.map((point, i) => {
    const { us: boundUs, by } = boundOf(point, peaks);
    const { op, kind, shape, rows, bytes, operations } = point;
    return { op, kind, shape, rows, bytes, operations, us: us[i]!, boundUs, by };
  });
  if (flags.json) return void process.stdout.write(`${JSON.stringify({ peaks, timed })}\n`);
  const text = markdown(`Kernels, ${today()}`, peaks, timed);
  if (ops.length > 0) return console.log(text); // a part of it is to look at
  printAndKeep(`kernels-${peaks.instructions}-${peaks.threads}`, {
    markdown: text,
    json: { date: today(), cpu: cpus()[0]?.model, peaks, timed },
  });
}

runMain(
  new Command('bench:kernels')
    .description('time every op, and set it beside what this machine could do at most')
    .argument('[ops...]', `some of ${Object.keys(OPS).join(', ')} (default: all, which is kept)`)
    .option('--instructions <path>', 'CPU instructions', 'auto')
    .option('--threads <n>', 'CPU threads (default: one per physical core)', integer(1), 0)
    .option('--types <names>', 'weight types', TYPES.join(','))
    .option('--json', 'print { peaks, timed: [{ op, kind, shape, rows, us, boundUs, by, ... }] }')
    .addHelpText(
      'after',
      '\nExamples:\n  npm run bench:kernels\n  npm run bench:kernels -- linear --types Q8_0,BF16 --instructions avx2',
    )
    .action(main),
);
