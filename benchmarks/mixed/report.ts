/** What bench:mixed has measured, as a table, JSON and a chart. */
import { barChart } from '../harness/bar-chart.js';
import { describeMachine, today } from '../harness/main.js';
import { markdownTable, percent } from '../harness/results.js';
import type { Report } from '../harness/results.js';
import { TARGET } from './scenario.js';
import type { Row } from './scenario.js';

export function describe(rows: Row[], tokens: number): Report {
  const machine = describeMachine();
  const date = today();
  const markdown = [
    `# Generating beside a long prompt, ${date}`,
    '',
    `${machine}; random weights. Gaps between tokens of sequences that generate, alone and while a prompt of ${tokens} tokens is computed; \`maxStepMs\` is ${TARGET} times the median gap alone.`,
    '',
    table(rows),
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

function table(rows: Row[]): string {
  const ms = (value: number) => value.toFixed(1);
  return markdownTable(
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
}
