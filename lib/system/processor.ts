/** This machine's processor. */
import { cpus } from 'node:os';

let known: string | undefined; // cached, because the system looks at all its cores for this

/** The maker's name of the processor. */
export function processorName(): string {
  known ??= cpus()[0]?.model.trim() || 'unknown';
  return known;
}

/** Distinguishes this machine from others that use the same folder of measured costs. */
export function machineName(): string {
  return `${processorName()}, ${cpus().length} cores`;
}
