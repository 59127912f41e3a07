/** What the commands share in talking to people. */
import { SingleBar } from 'cli-progress';
import { InvalidArgumentError } from 'commander';
import { createColors } from 'picocolors';
import type { Colors } from 'picocolors/types';

import { variable } from '../environment.js';
import { CachalotError } from '../errors.js';
import type { PullProgress } from '../models/pull.js';

export enum ExitCode {
  Error = 1,
  Usage = 2,
  Interrupted = 130,
}

/** One clear line on stderr; the stack with --debug. Returns the exit code. */
export function reportError(error: unknown, debug: boolean): ExitCode {
  if (error instanceof CachalotError && error.code === 'aborted') {
    process.stderr.write(`${/^interrupted/.test(error.message) ? error.message : 'interrupted'}\n`);
    return ExitCode.Interrupted;
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

/** Aborts on the first Ctrl-C, or when somebody asks us to end; a second one ends the process as usual. */
export function interruptSignal(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const abort = () => {
    release(); // the next one is the system's
    controller.abort();
  };
  const release = () => {
    for (const name of signals) process.off(name, abort);
  };
  for (const name of signals) process.on(name, abort);
  return { signal: controller.signal, release };
}

/** For options that may be given several times. */
export function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}

export function integer(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min)
      throw new InvalidArgumentError(`expected an integer of at least ${min}.`);
    return value;
  };
}

export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('expected a number of at least 0.');
  return value;
}

/** A number of either sign. */
export function signed(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new InvalidArgumentError('expected a number.');
  return value;
}

/** Colours on a terminal that wants them. (Picocolors' own guess colours a pipe where `CI` is set.) */
export function colorsFor(stream: NodeJS.WriteStream): Colors {
  return createColors(Boolean(stream.isTTY) && variable('NO_COLOR') === undefined);
}

/** What is being done now: one line that changes, and only on a terminal. */
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
    if (phase === 'load') return; // a matter of seconds, and no news in a log
    const tenth =
      totalBytes && phase === 'download' ? Math.floor((10 * receivedBytes) / totalBytes) * 10 : 0;
    const line = phase === 'download' ? `${label} ${tenth}%` : label;
    if (line !== last && !bar) process.stderr.write(`${line}\n`);
    last = line;
  };
  return { report, end: () => bar?.stop() };
}
