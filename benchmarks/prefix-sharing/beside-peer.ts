/** Whole jobs of sequences with one prefix, beside node-llama-cpp: two processes that take turns. */
import { availableParallelism } from 'node:os';

import { summarize } from '#lib/bench/statistics.js';
import type { Summary } from '#lib/bench/statistics.js';

import { peerModules, peerVersion } from '../drivers/peer-modules.js';
import { Driver } from '../drivers/protocol.js';
import { GENERATED, OWN } from './cells.js';

export interface PeerJob {
  name: string;
  model: string;
  prefix: number;
  sequences: number;
  pairs: number;
}

export interface PeerCell extends PeerJob {
  /** Milliseconds from the prefix that has not been evaluated to the last token. */
  ours: Summary;
  peer: Summary;
  /** Median of the pairs' ratios. */
  ratio: number;
}

export async function besidePeer(
  jobs: readonly PeerJob[],
  onProgress: (what: string) => void,
): Promise<{ cells: PeerCell[]; peer: string }> {
  const modules = peerModules();
  const cells: PeerCell[] = [];
  for (const job of jobs) cells.push(await contest(job, modules, onProgress));
  return { cells, peer: `node-llama-cpp ${peerVersion(modules)}` };
}

async function contest(
  job: PeerJob,
  modules: string,
  onProgress: (what: string) => void,
): Promise<PeerCell> {
  const { model, prefix, sequences, pairs } = job;
  const options = {
    model,
    threads: availableParallelism(),
    context: prefix + OWN + GENERATED + 8,
    sequences,
  };
  const drivers = [
    new Driver('ours', options),
    new Driver('node-llama-cpp', { ...options, modules }),
  ];
  const times: number[][] = [[], []];
  try {
    for (const driver of drivers) await driver.call('load');
    for (const driver of drivers) await driver.call('shared', 64, Math.min(2, sequences), OWN, 4); // warm-up
    for (let run = 0; run < pairs; run++) {
      onProgress(
        `beside the peer: ${job.name}, prefix ${prefix}, ${sequences} sequences, ${run + 1} of ${pairs}`,
      );
      for (const turn of [run % 2, 1 - (run % 2)])
        times[turn]!.push(await drivers[turn]!.call('shared', prefix, sequences, OWN, GENERATED));
    }
  } finally {
    for (const driver of drivers) await driver.end();
  }
  const [ours, peer] = times as [number[], number[]];
  const ratio = summarize(ours.map((ms, i) => peer[i]! / ms)).median;
  return { ...job, ours: summarize(ours), peer: summarize(peer), ratio };
}
