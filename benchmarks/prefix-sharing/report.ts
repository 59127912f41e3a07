/** What bench:shared has measured, as a table, JSON and a chart. */
import type { MachinePeaks } from '#lib/native.js';

import { barChart } from '../harness/bar-chart.js';
import { describeMachine, today } from '../harness/main.js';
import { markdownTable, rate } from '../harness/results.js';
import type { Report } from '../harness/results.js';
import type { PeerCell } from './beside-peer.js';
import { GENERATED, OWN } from './cells.js';
import type { Cell } from './cells.js';

interface Measured {
  cells: { name: string; cells: Cell[] }[];
  peers: PeerCell[];
  peer: string;
  peaks: MachinePeaks;
}

const NOTE = `Each sequence has ${OWN} tokens of its own after the prefix and generates ${GENERATED}. Steps: medians of steps in which
all sequences decode; three ways take turns from step to step, on the same sequences: as the engine chooses, every sequence reading
its prefix by itself ("apart"), and without attention (the bound, with wrong results). Gain: apart / chosen; a gain below 0.98 would
mean that the choice was wrong. Whole job: from the prefix that has not been evaluated to the last token; the peer in its best public way (the state of the
prefix, saved and loaded into each sequence), with as many threads as there are cores.`;

export function describe({ cells, peers, peer, peaks }: Measured): Report {
  const machine = describeMachine();
  const date = today();
  const sections = cells.map(({ name, cells: grid }) =>
    [`## ${name}`, '', table(grid), ''].join('\n'),
  );
  const beside =
    peers.length === 0 ? [] : [`## Whole jobs beside ${peer}`, '', peerTable(peers), ''];
  const markdown = [
    `# Shared prefixes, ${date}`,
    '',
    `${machine}. ${NOTE.replaceAll('\n', ' ')}`,
    '',
    `This machine at most: reads ${(peaks.readBytesPerSecond / 1e9).toFixed(0)} GB/s, BF16 ${(peaks.bf16 / 1e12).toFixed(2)} T op/s, INT8 ${(peaks.int8 / 1e12).toFixed(2)} T op/s.`,
    '',
    ...sections,
    ...beside,
  ].join('\n');
  return {
    markdown,
    json: { date, machine, peaks, peer, cells, peers },
    svg: chart(cells, machine, date),
  };
}

function table(cells: readonly Cell[]): string {
  return markdownTable(
    [
      'prefix',
      'sequences',
      'chosen, ms',
      'apart, ms',
      'bound, ms',
      'gain',
      'over bound',
      'decode, tokens/s',
      'whole job, s',
      'generated/s',
      'host, us',
    ],
    cells.map(({ prefix, sequences, steps, prefixMs, restMs }) => {
      const start = [String(prefix), String(sequences)];
      if (!steps) return [...start, 'does not fit', ...Array<string>(8).fill('')];
      const { chosen, apart, bound, gain, overBound, hostUs } = steps;
      const whole = (prefixMs ?? 0) + (restMs ?? 0);
      return [
        ...start,
        chosen.median.toFixed(1),
        apart.median.toFixed(1),
        bound.median.toFixed(1),
        gain.toFixed(2),
        overBound.toFixed(2),
        rate((1000 * sequences) / chosen.median),
        (whole / 1000).toFixed(2),
        rate((1000 * sequences * GENERATED) / whole),
        hostUs.toFixed(0),
      ];
    }),
  );
}

function peerTable(cells: readonly PeerCell[]): string {
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  return markdownTable(
    [
      'model',
      'prefix',
      'sequences',
      'Cachalot, s',
      'peer, s',
      'ratio',
      'generated/s',
      "peer's",
      'pairs',
    ],
    cells.map(({ name, prefix, sequences, ours, peer, ratio, pairs }) => [
      name,
      String(prefix),
      String(sequences),
      seconds(ours.median),
      seconds(peer.median),
      ratio.toFixed(1),
      rate((1000 * sequences * GENERATED) / ours.median),
      rate((1000 * sequences * GENERATED) / peer.median),
      String(pairs),
    ]),
  );
}

function chart(models: Measured['cells'], machine: string, date: string): string {
  const perSecond = (sequences: number, ms: number) => (1000 * sequences) / ms;
  return barChart({
    title: 'Decoding with a shared prefix, tokens per second',
    subtitle: `${machine}; ${date}`,
    series: ['read together', 'read apart', 'no attention (bound)'],
    groups: models.flatMap(({ name, cells }) =>
      cells
        .filter(({ sequences, steps }) => steps && (sequences === 16 || sequences === 64))
        .map(({ prefix, sequences, steps }) => ({
          name: `${name}: ${prefix} x ${sequences}`,
          values: [steps!.chosen, steps!.apart, steps!.bound].map(({ median }) =>
            perSecond(sequences, median),
          ),
        })),
    ),
  });
}
