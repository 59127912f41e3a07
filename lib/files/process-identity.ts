/**
 * Whether a process that wrote its name into a file still lives. A number is not enough: after a restart of a container, or of
 * the machine, or just later, another process has it. On Linux a process is known by its number, when it began, the boot, and the
 * namespace that counts it; elsewhere we cannot tell, and say so.
 */
import { readFileSync, readlinkSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** When it began, in ticks since the boot. */
  start: string;
  /** Where its number means something: this boot of this machine, this namespace. Empty: nowhere that we could tell. */
  scope: string;
}

export type Life = 'alive' | 'dead' | 'unknown';

export function ownIdentity(): ProcessIdentity {
  const { pid } = process;
  const start = statusOf(pid)?.start;
  const scope = scopeOfNumbers();
  return start === undefined || scope === ''
    ? { pid, start: '', scope: '' }
    : { pid, start, scope };
}

export function lifeOf({ pid, start, scope }: ProcessIdentity): Life {
  if (scope === '' || scope !== scopeOfNumbers()) return 'unknown';
  if (!exists(pid)) return 'dead';
  const there = statusOf(pid);
  if (there === undefined) return 'unknown'; // some systems hide the processes of others
  return there.start === start && !there.hasEnded ? 'alive' : 'dead';
}

/** Empty where /proc is absent, or is that of another namespace. */
function scopeOfNumbers(): string {
  try {
    if (readlinkSync('/proc/self') !== String(process.pid)) return '';
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** From proc_pid_stat(5): fields 3 (state) and 22 (start), counted behind the name, which may hold anything. */
function statusOf(pid: number): { start: string; hasEnded: boolean } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { start: fields[19]!, hasEnded: /[ZX]/.test(fields[0]!) };
  } catch {
    return undefined;
  }
}
