/** What bench:trace has measured, as tables, JSON and a chart. */
import { barChart } from '../harness/bar-chart.js';
import { describeMachine, today } from '../harness/main.js';
import { markdownTable, percent } from '../harness/results.js';
import type { Report } from '../harness/results.js';
import { MODES, NAMES } from './modes.js';
import { SCALE } from './mooncake.js';
import type { RealRow } from './real.js';
import { COSTS, STEP_ROWS } from './simulated.js';
import type { SimulatedRow } from './simulated.js';

interface Measured {
  rows: SimulatedRow[];
  real: RealRow[];
  /** How many requests were simulated, and how many ran. */
  requests: number;
  realRequests: number;
}

export function describe({ rows, real, requests, realRequests }: Measured): Report {
  const machine = describeMachine();
  const date = today();
  const really = () => [
    `## Really, lengths divided by ${SCALE}`,
    '',
    `${machine}; smollm2-135m, Q8_0, random weights; the first ${realRequests} requests, ${(real[0]!.kvBytes / 1e6).toFixed(0)} MB of keys and values.`,
    '',
    realTable(real),
    '',
  ];
  const markdown = [
    `# A trace as a batch, ${date}`,
    '',
    `Mooncake's conversation trace, ${requests} requests at once. The optimum: each distinct token of their prefix tree is computed once.`,
    '',
    '## Simulated, at its lengths',
    '',
    `The engine's scheduler and prefix tree; a step takes what a roofline says: the shape of Llama 3.1 8B in BF16 at 3 TB/s and 400 T op/s, ${STEP_ROWS} rows a step. "fcfs, LRU" also computes once what waits together.`,
    '',
    simulatedTable(rows),
    '',
    ...(real.length === 0 ? [] : really()),
  ].join('\n');
  const svg = chart(rows, `${requests} requests; ${date}`);
  return { markdown, json: { date, machine, costs: COSTS, rows, real }, svg };
}

function simulatedTable(rows: readonly SimulatedRow[]): string {
  const slowest = (kvTokens: number) =>
    rows.find((row) => row.mode === 'fcfs' && row.kvTokens === kvTokens)!.simulated.seconds;
  return markdownTable(
    [
      'keys and values, tokens',
      'schedule',
      'makespan, s',
      'against fcfs',
      'prompt tokens computed',
      'over the optimum',
      'peak in use',
      'scheduling, us per step',
    ],
    rows.map(({ mode, kvTokens, simulated: s }) => [
      String(kvTokens),
      NAMES[mode],
      s.seconds.toFixed(0),
      (slowest(kvTokens) / s.seconds).toFixed(2),
      String(s.promptRows),
      percent(s.promptRows / s.distinctTokens - 1),
      String(s.peakTokens),
      s.hostUs.toFixed(0),
    ]),
  );
}

function realTable(real: readonly RealRow[]): string {
  const fcfs = real.find(({ mode }) => mode === 'fcfs')?.seconds ?? 0;
  return markdownTable(
    ['schedule', 'seconds', 'against fcfs', 'prompt tokens computed', 'over the optimum'],
    real.map(({ mode, seconds, computed, distinct }) => [
      mode === 'fcfs' ? 'fcfs' : NAMES[mode],
      seconds.toFixed(1),
      (fcfs / seconds).toFixed(2),
      String(computed),
      percent(computed / distinct - 1),
    ]),
  );
}

function chart(rows: readonly SimulatedRow[], subtitle: string): string {
  return barChart({
    title: 'Makespan of the trace, seconds (simulated)',
    subtitle,
    series: MODES.map((mode) => NAMES[mode]),
    groups: [...new Set(rows.map(({ kvTokens }) => kvTokens))].map((kvTokens) => ({
      name: `${kvTokens} tokens of KV`,
      values: MODES.map(
        (mode) =>
          rows.find((row) => row.mode === mode && row.kvTokens === kvTokens)?.simulated.seconds,
      ),
    })),
  });
}
