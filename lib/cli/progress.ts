/** Progress of a batch and of other long work: a bar with speed and time left on a terminal, a line for each tenth elsewhere. */
import { SingleBar } from 'cli-progress';

import type { BatchStats } from '../batch/batch.js';
import { statusLine } from './output.js';
import { timeText } from './sizes.js';

export interface Progress {
  show: (stats: BatchStats) => void;
  end: () => void;
}

/** `isAlone`: the answers do not go to the terminal, so it is free for a bar. */
export function progressBar(items: number, already: number, isAlone: boolean): Progress {
  if (!isAlone) return { show: () => undefined, end: () => undefined };
  return process.stderr.isTTY ? bar(items, already) : tenths(items, already);
}

function bar(items: number, already: number): Progress {
  const shown = new SingleBar({
    format: '[{bar}] {value}/{total} | {rate} tokens/s | {eta_formatted} left',
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    formatTime: timeText,
  });
  shown.start(items, already, { rate: '-' });
  return {
    show: ({ finished, tokensPerSecond }) =>
      shown.update(already + finished, { rate: tokensPerSecond.toFixed(1) }),
    end: () => shown.stop(),
  };
}

function tenths(items: number, already: number): Progress {
  let last = Math.floor((10 * already) / items);
  return {
    show: ({ finished, tokensPerSecond }) => {
      const tenth = Math.floor((10 * (already + finished)) / items);
      if (tenth > last)
        process.stderr.write(
          `${10 * tenth}% (${already + finished}/${items}), ${tokensPerSecond.toFixed(1)} tokens/s\n`,
        );
      last = tenth;
    },
    end: () => undefined,
  };
}

/** Progress of work in steps that take about as long as each other: a line that changes on a terminal, a line for each tenth elsewhere. */
export function workReporter(): {
  show: (work: { done: number; total: number; what: string }) => void;
  end: () => void;
} {
  const status = statusLine();
  const start = performance.now();
  let first: number | undefined; // steps that an earlier run has done
  let last = 0;
  const show = ({ done, total, what }: { done: number; total: number; what: string }) => {
    first ??= done;
    const seconds = (performance.now() - start) / 1000;
    const left = done > first ? (seconds / (done - first)) * (total - done) : Infinity;
    const text = `${Math.floor((100 * done) / total)} %, ${timeText(Math.round(left))} left: ${what}`;
    status.show(text);
    const tenth = Math.floor((10 * done) / total);
    if (!process.stderr.isTTY && tenth > last) process.stderr.write(`${text}\n`);
    last = tenth;
  };
  return { show, end: status.end };
}
