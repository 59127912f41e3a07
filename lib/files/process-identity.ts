/**
 * Whether a process that wrote its name into a file still lives. Its number is not enough: after a restart of the container or
 * the machine, or just later, another process has the number. On Linux a process is identified by its number, its start time, the
 * boot, and its PID namespace; on other systems the answer is 'unknown'.
 */
import { readFileSync, readlinkSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** When it started, in ticks since the boot. */
  start: string;
  /** The scope of its number: this boot of this machine, this namespace. Empty if that is unknown. */
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
  if (there === undefined) return 'unknown'; // some systems hide other users' processes
  return there.start === start && !there.hasEnded ? 'alive' : 'dead';
}

/** Empty if /proc is absent, or belongs to another namespace. */
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

/** From proc_pid_stat(5): fields 3 (state) and 22 (start), counted after the name, which may contain any character. */
function statusOf(pid: number): { start: string; hasEnded: boolean } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { start: fields[19]!, hasEnded: /[ZX]/.test(fields[0]!) };
  } catch {
    return undefined;
  }
}
