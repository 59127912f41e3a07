/** What `npm run gpu:check` packs for a machine with a GPU, and runs there: kernels and models beside the CPU, then tables. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';

import { native } from '#lib/native.js';
import { Command, Option } from 'commander';

import { engineSuite } from './gpu/engine-suite.js';
import { kernelSuite } from './gpu/kernel-suite.js';
import type { CheckResult } from './gpu/kernel-suite.js';
import { tables } from './gpu/tables.js';
import type { Table } from './gpu/tables.js';
import { runMain } from './harness/main.js';
import { markdownTable } from './harness/results.js';
import { testing } from './harness/testing-addon.js';

interface Flags {
  library: string;
  only: 'all' | 'kernels' | 'engine' | 'tables';
  quick: boolean;
  out: string;
}

async function run({ library, only, quick, out }: Flags): Promise<boolean> {
  const { devices, reason } = native().cuda(library);
  if (devices.length === 0) throw new Error(`there is no GPU to check: ${reason}`);
  const machine = `${devices[0]!.name} (compute capability ${devices[0]!.computeCapability}), ${cpus()[0]!.model}, ${release()}`;
  console.log(machine);
  const wants = (part: Flags['only']) => only === 'all' || only === part;
  const results: CheckResult[] = [];
  const note = (result: CheckResult) => {
    results.push(result);
    console.log(`${result.ok ? 'ok    ' : 'FAILED'} ${result.name}: ${result.detail}`);
  };
  if (wants('kernels'))
    for (const result of kernelSuite(testing, `cuda:${library}`, quick)) note(result);
  if (wants('engine')) for await (const result of engineSuite(library, quick)) note(result);
  const made: Table[] = [];
  if (wants('tables')) {
    for await (const table of tables(testing, `cuda:${library}`, library)) {
      made.push(table);
      console.log(`\n${table.title}\n${markdownTable(table.head, table.rows)}`);
    }
  }
  save(out, machine, results, made);
  const failed = results.filter(({ ok }) => !ok).length;
  console.log(`${results.length - failed} passed, ${failed} failed`);
  return failed === 0;
}

function save(out: string, machine: string, results: CheckResult[], made: Table[]): void {
  mkdirSync(out, { recursive: true });
  const failed = results.filter(({ ok }) => !ok);
  const markdown = [
    `# GPU check\n\n${new Date().toISOString()}, ${machine}`,
    `${results.length - failed.length} checks passed, ${failed.length} failed.`,
    ...failed.map(({ name, detail }) => `- FAILED ${name}: ${detail}`),
    ...made.map(({ title, head, rows }) => `## ${title}\n\n${markdownTable(head, rows)}`),
  ].join('\n\n');
  writeFileSync(join(out, 'gpu-check.md'), `${markdown}\n`);
  const json = { machine, results, tables: made };
  writeFileSync(join(out, 'gpu-check.json'), `${JSON.stringify(json, undefined, 2)}\n`);
}

runMain(
  new Command('gpu-check')
    .description('check the CUDA kernels and models on this machine, and measure them')
    .option(
      '--library <file>',
      'the CUDA library',
      join(process.cwd(), 'build', 'Release', 'libcachalot_cuda.so'),
    )
    .addOption(
      new Option('--only <part>', 'one part')
        .choices(['all', 'kernels', 'engine', 'tables'])
        .default('all'),
    )
    .option('--quick', 'small contexts, and one small model', false)
    .option('--out <folder>', 'where the report goes', 'gpu-check-results')
    .action(async (flags: Flags) => {
      process.exitCode = (await run(flags)) ? 0 : 1;
    }),
);
