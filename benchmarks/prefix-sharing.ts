/**
 * npm run bench:shared: sequences that share a prefix. The whole grid of prefix lengths and numbers of sequences on the shape of
 * SmolLM2-135M, corners of it on that of Llama 3.2 1B. In the steps of a decoding batch three ways take turns: as the engine
 * chooses, every sequence reading its prefix by itself, and without attention (the bound). Then whole jobs, alone and beside
 * node-llama-cpp.
 */
import { integer } from '#lib/cli/flag-values.js';
import { native } from '#lib/native.js';
import { Command } from 'commander';

import { printAndKeep, runMain } from './harness/main.js';
import type { Cell } from './prefix-sharing/cells.js';
import { measureGrid } from './prefix-sharing/grid.js';
import { besidePeer } from './prefix-sharing/beside-peer.js';
import type { PeerCell } from './prefix-sharing/beside-peer.js';
import { describe } from './prefix-sharing/report.js';
import { syntheticModel } from './models/model-files.js';

const CONTEXT = 16_384 + 256;
const PREFIXES = [128, 512, 1000, 1024, 2048, 4095, 8192, 16_384];
const SEQUENCES = [1, 4, 16, 64, 256];
const SMALL = { shape: 'smollm2-135m', type: 'Q8_0', context: CONTEXT };
const LARGE = { shape: 'llama-3.2-1b', type: 'Q8_0' };

interface Flags {
  pairs: number;
  peerPairs: number;
  quick?: boolean;
}

async function main(flags: Flags): Promise<void> {
  const start = performance.now();
  const small = await syntheticModel(SMALL);
  const large = await syntheticModel(LARGE);
  const progress = (what: string) => console.error(what);
  const grid = flags.quick
    ? { prefixes: [128, 2048], sequences: [1, 64] }
    : { prefixes: PREFIXES, sequences: SEQUENCES };
  const corners = flags.quick
    ? { prefixes: [512], sequences: [16] }
    : { prefixes: [128, 512, 16_384], sequences: [1, 16, 64] };
  const cells: { name: string; cells: Cell[] }[] = [
    {
      name: 'smollm2-135m, Q8_0',
      cells: await measureGrid(small, CONTEXT, grid, flags.pairs),
    },
    {
      name: 'llama-3.2-1b, Q8_0',
      cells: await measureGrid(large, CONTEXT, corners, flags.pairs),
    },
  ];
  let peers: PeerCell[] = [];
  let peer = '';
  if (flags.peerPairs > 0) {
    const jobs = [
      {
        name: 'smollm2-135m, Q8_0',
        model: small,
        prefix: 2048,
        sequences: 64,
        pairs: flags.peerPairs,
      },
      {
        name: 'llama-3.2-1b, Q8_0',
        model: large,
        prefix: 512,
        sequences: 16,
        pairs: flags.peerPairs,
      },
      ...[
        [512, 4],
        [512, 16],
        [512, 64],
        [2048, 4],
        [2048, 16],
      ].map(([prefix, sequences]) => ({
        name: 'smollm2-135m, Q8_0',
        model: small,
        prefix: prefix!,
        sequences: sequences!,
        pairs: 1,
      })),
    ];
    ({ cells: peers, peer } = await besidePeer(flags.quick ? jobs.slice(0, 1) : jobs, progress));
  }
  const peaks = await native().measurePeaks('auto', 0, '');
  printAndKeep('shared', describe({ cells, peers, peer, peaks }));
  console.log(`${((performance.now() - start) / 60_000).toFixed(1)} minutes`);
}

runMain(
  new Command('bench:shared')
    .description(
      'sequences that share a prefix, read together, apart, and not at all; whole jobs beside node-llama-cpp',
    )
    .option('--pairs <n>', 'steps of each kind in a cell, in turn; medians count', integer(1), 11)
    .option(
      '--peer-pairs <n>',
      'interleaved runs of the two main jobs beside the peer; 0: none',
      integer(0),
      11,
    )
    .option('--quick', 'a few cells only')
    .addHelpText(
      'after',
      '\nExamples:\n  npm run bench:shared\n  npm run bench:shared -- --quick --peer-pairs 0',
    )
    .action(main),
);
