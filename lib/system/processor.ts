/** This machine's processor. */
import { cpus } from 'node:os';

let known: string | undefined; // the system counts all its cores to tell

/** As its maker calls it. */
export function processorName(): string {
  known ??= cpus()[0]?.model.trim() || 'unknown';
  return known;
}

/** Tells this machine from others that use the same folder of measured costs. */
export function machineName(): string {
  return `${processorName()}, ${cpus().length} cores`;
}
