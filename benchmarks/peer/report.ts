/** The tables of a comparison. */
import type { Summary } from '#lib/bench/statistics.js';

import { markdownTable, percent, rate } from '../harness/results.js';
import type { Row } from './contest.js';

export interface ModelResult {
  model: string;
  /** What the machine did at most while the model was measured: GB/s, billions of operations per second. */
  machine: string;
  rows: Row[];
}

export const NOTE =
  'Medians (ranges) of interleaved runs, each engine in a process of its own, timed in JavaScript by the same clock. A ratio above 1 means ' +
  'that Cachalot is better: faster, or with less time or memory. The peer is asked with 1, 2, 4, ... threads up to all at 128 tokens, and ' +
  'with the count that was best there in longer prompts and contexts; in batches, memory and loading with all. First token: from the file to ' +
  'the first token after 16, starting the library not counted; the first load packs weights, later ones map what it has kept. "Together" are ' +
  'sequences that share nothing: tokens generated in the whole job, prompts of 16 tokens included. Of the bound: the share of what this machine could do at most, ' +
  'measured in the same minutes - reading weights, keys and values, or the arithmetic, whichever is longer. Peak memory (VmHWM) counts mapped files.';

export function markdown(results: ModelResult[], title: string, machine: string): string {
  return [`# ${title}`, '', `${machine}. ${NOTE}`, '', ...results.map(section)].join('\n');
}

export function section({ model, machine, rows }: ModelResult): string {
  const cell = ({ median, min, max }: Summary) =>
    min === max ? rate(median) : `${rate(median)} (${rate(min)} to ${rate(max)})`;
  const hasOwn = rows.some(({ llamaCpp }) => llamaCpp !== undefined);
  const head = ['', 'Cachalot', 'of the bound', 'node-llama-cpp', 'its threads', 'ratio'];
  const lines = rows.map(({ name, unit, ours, bound, peer, peerThreads, ratio, llamaCpp }) => [
    `${name}, ${unit}`,
    cell(ours),
    bound === undefined ? '' : percent(ours.median / bound),
    cell(peer),
    String(peerThreads),
    ratio.toFixed(2),
    ...(hasOwn ? [llamaCpp === undefined ? '' : rate(llamaCpp)] : []),
  ]);
  const table = markdownTable([...head, ...(hasOwn ? ['llama-batched-bench'] : [])], lines);
  return `## ${model}\n\n${machine}\n\n${table}\n`;
}
