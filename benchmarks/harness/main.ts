/** What every benchmark's main does: its command, the machine's header, and results that are printed and kept. */
import { availableParallelism, cpus } from 'node:os';

import type { Command } from 'commander';

import { saveResults } from './results.js';
import type { Report } from './results.js';

export function runMain(command: Command, tell = ({ message }: Error) => message): void {
  command.parseAsync().catch((error: unknown) => {
    console.error(`error: ${tell(error as Error)}`);
    process.exitCode = 1;
  });
}

/** One line on where it was measured; `more` is a limit that the benchmark sets. */
export function describeMachine(more?: string): string {
  const cores = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'an unknown machine'}`;
  return [cores, ...(more === undefined ? [] : [more]), `Node ${process.version}`].join(', ');
}

export const today = () => new Date().toISOString().slice(0, 10);

/** Keeps a report as today's of that name, and says where. */
export function keepReport(name: string, report: Report): void {
  const path = saveResults(`${today()}-${name}`, report);
  const others = report.svg === undefined ? '.json' : '.json, .svg';
  console.log(`written to ${path} (${others})`);
}

export function printAndKeep(name: string, report: Report): void {
  console.log(report.markdown);
  keepReport(name, report);
}
