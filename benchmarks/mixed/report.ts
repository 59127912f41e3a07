/** What bench:mixed has measured, as a table, JSON and a chart. */
import { barChart } from '../harness/bar-chart.js';
import { describeMachine, today } from '../harness/main.js';
import { markdownTable, percent } from '../harness/results.js';
import type { Report } from '../harness/results.js';
import type { Beside, Row } from './scenario.js';

export function describe(rows: Row[], tokens: number): Report {
  const machine = describeMachine();
  const date = today();
  const markdown = [
    `# Generating beside a long prompt, ${date}`,
    '',
    `${machine}; random weights. Gaps between tokens of sequences that generate, alone and while a prompt of ${tokens} tokens is computed, with several targets (\`maxStepMs\`) as multiples of the median gap alone.`,
    '',
    table(rows),
    '',
  ].join('\n');
  const svg = barChart({
    title: 'Beside a prompt: gaps between tokens (p99), of the median alone',
    subtitle: `${machine}; ${date}`,
    series: rows[0]!.curve.map(nameOf),
    groups: rows.map((row) => ({
      name: `${row.shape}, ${row.sequences} sequences`,
      values: row.curve.map(({ p99 }) => p99 / row.aloneP50),
    })),
  });
  return { markdown, json: { date, machine, tokens, rows }, svg };
}

const nameOf = ({ target }: Beside) => (target === undefined ? 'none' : String(target));

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
      'prompt alone, tokens/s',
      'beside',
      'share',
    ],
    rows.flatMap((row) =>
      row.curve.map((point) => [
        row.shape,
        String(row.sequences),
        ms(row.aloneP50),
        ms(row.aloneP99),
        nameOf(point),
        ms(point.p50),
        ms(point.p99),
        (point.p99 / row.aloneP50).toFixed(2),
        row.promptAlone.toFixed(0),
        point.prompt.toFixed(0),
        percent(point.prompt / row.promptAlone),
      ]),
    ),
  );
}
