/** CPU time of a thread, read from another one: time that a busy machine takes from a worker does not count as its job's. Linux only. */
import { readFileSync, readlinkSync } from 'node:fs';

/** The calling thread, under a name with which other threads of the process can ask. */
export function ownThread(): string | undefined {
  try {
    return readlinkSync('/proc/thread-self').split('/').at(-1);
  } catch {
    return undefined;
  }
}

/** Milliseconds of CPU time that a thread has had; undefined if the system does not count it, which some kernels report as 0. */
export function cpuMsOf(thread: string | undefined): number | undefined {
  if (thread === undefined) return undefined;
  try {
    const [nanoseconds] = readFileSync(`/proc/self/task/${thread}/schedstat`, 'utf8').split(' ');
    const ms = Number(nanoseconds) / 1e6;
    return ms > 0 ? ms : undefined;
  } catch {
    return undefined;
  }
}
