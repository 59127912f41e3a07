/** npm run bench:quality -- [options of `cachalot quality`]: prints the tables, and keeps them with a chart under benchmarks/results/. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { chart } from '#lib/quality/chart.js';
import { sectionsOf } from '#lib/quality/report.js';
import type { Summary } from '#lib/quality/summary.js';

import { describeMachine, printAndKeep, today } from './harness/main.js';
import { markdownTable, slug } from './harness/results.js';

interface Result extends Summary {
  model: string;
  how: string;
}

function run(args: readonly string[]): Result | undefined {
  const cli = join(process.cwd(), 'dist', 'cli', 'main.js');
  const wantsHelp = args.includes('--help') || args.includes('-h');
  const { status, stdout } = spawnSync(
    process.execPath,
    [cli, 'quality', ...args, ...(wantsHelp ? [] : ['--json'])],
    { stdio: ['inherit', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  process.exitCode = status ?? 1;
  if (status === 0 && !wantsHelp) return JSON.parse(stdout) as Result;
  process.stdout.write(stdout);
  return undefined;
}

const args = process.argv.slice(2);
const result = run(args);
if (result) {
  const { model, how } = result;
  const sections = sectionsOf(result).flatMap(({ title, head, rows, notes }) => [
    ...[`## ${title}`, '', markdownTable(head, rows), ''],
    ...notes.flatMap((note) => [note, '']),
  ]);
  const title = `Quality of ${slug(model)}, ${today()}`;
  printAndKeep(`${slug(model)}-quality`, {
    markdown: [
      ...[`# ${title}`, '', describeMachine(), '', `${how[0]!.toUpperCase()}${how.slice(1)}.`, ''],
      ...sections,
      `\`npm run bench:quality -- ${args.join(' ')}\``,
      '',
    ].join('\n'),
    json: result,
    svg: chart(result.settings, title),
  });
}
