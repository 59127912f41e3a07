/** Output for people, shared by the commands. */
import { SingleBar } from 'cli-progress';
import { createColors } from 'picocolors';
import type { Colors } from 'picocolors/types';

import { CachalotError } from '../errors.js';
import type { PullProgress } from '../models/pull.js';
import { variable } from '../system/environment.js';
import { timeText } from './sizes.js';

export enum ExitCode {
  Error = 1,
  Usage = 2,
  /** By Ctrl-C. */
  Interrupted = 130,
  /** By SIGTERM. */
  Terminated = 143,
}

const SIGNALS = { SIGINT: ExitCode.Interrupted, SIGTERM: ExitCode.Terminated };

/** The signal that asked this process to end, if one did. */
let endedBy: keyof typeof SIGNALS | undefined;

/** Prints one clear line on stderr, with --debug also the stack. Returns the exit code. */
export function reportError(error: unknown, debug: boolean): ExitCode {
  if (error instanceof CachalotError && error.code === 'aborted') {
    process.stderr.write(`${/^interrupted/.test(error.message) ? error.message : 'interrupted'}\n`);
    return SIGNALS[endedBy ?? 'SIGINT'];
  }
  const message =
    error instanceof CachalotError
      ? `${error.message} [${error.code}]`
      : String((error as Error).message ?? error);
  process.stderr.write(`error: ${message}\n`);
  if (debug) console.error(error);
  return error instanceof CachalotError && error.code === 'invalid_argument'
    ? ExitCode.Usage
    : ExitCode.Error;
}

/** Aborts on the first Ctrl-C or SIGTERM; a second one ends the process as usual. */
export function interruptSignal(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const names = Object.keys(SIGNALS) as (keyof typeof SIGNALS)[];
  const abort = (name: keyof typeof SIGNALS) => {
    release(); // the next signal is handled by the system
    endedBy = name;
    controller.abort();
  };
  const release = () => {
    for (const name of names) process.off(name, abort);
  };
  for (const name of names) process.on(name, abort);
  return { signal: controller.signal, release };
}

/** Colours on a terminal that supports them. (Picocolors itself would colour a pipe if `CI` is set.) */
export function colorsFor(stream: NodeJS.WriteStream): Colors {
  return createColors(Boolean(stream.isTTY) && variable('NO_COLOR') === undefined);
}

/** The current work: one line that changes, and only on a terminal. */
export function statusLine(): { show: (text: string) => void; end: () => void } {
  const { stderr } = process;
  if (!stderr.isTTY) return { show: () => undefined, end: () => undefined };
  const clear = () => stderr.write('\r\x1b[K');
  return {
    show: (text) => {
      clear();
      stderr.write(text.slice(0, (stderr.columns || 80) - 1));
    },
    end: () => void clear(),
  };
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

/** Progress of a pull on stderr: a bar on a terminal, a line per tenth elsewhere. */
export function pullReporter(): { report: (progress: PullProgress) => void; end: () => void } {
  const terminal = process.stderr.isTTY;
  const bar = terminal
    ? new SingleBar({
        format: '{label} [{bar}] {percentage}% | {done}/{all} MB | {eta_formatted} left',
        stream: process.stderr,
        clearOnComplete: true,
        hideCursor: true,
        formatTime: timeText,
      })
    : undefined;
  let last = '';
  let started = false;
  const report = ({ phase, holder, part, parts, receivedBytes, totalBytes }: PullProgress) => {
    if (phase === 'wait') {
      process.stderr.write(`waiting for ${holder}, which is fetching the same model\n`);
      return;
    }
    const label = parts > 1 ? `${phase} ${part + 1}/${parts}` : phase;
    if (bar && (phase === 'download' || phase === 'load')) {
      const total = totalBytes ?? receivedBytes;
      if (!started || label !== last)
        bar.start(total, receivedBytes, { label, done: '0', all: megabytes(total) });
      started = true;
      last = label;
      bar.update(receivedBytes, { label, done: megabytes(receivedBytes), all: megabytes(total) });
      return;
    }
    if (phase === 'load') return; // loading takes seconds and is not worth a line in a log
    const tenth =
      totalBytes && phase === 'download' ? Math.floor((10 * receivedBytes) / totalBytes) * 10 : 0;
    const line = phase === 'download' ? `${label} ${tenth}%` : label;
    if (line !== last && !bar) process.stderr.write(`${line}\n`);
    last = line;
  };
  return { report, end: () => bar?.stop() };
}
