/** CPU time of a thread, as others see it: what a busy machine takes from a worker is not its job's doing. Linux tells; elsewhere nobody does. */
import { readFileSync, readlinkSync } from 'node:fs';

/** The calling thread, by a name that other threads of the process can ask with. */
export function ownThread(): string | undefined {
  try {
    return readlinkSync('/proc/thread-self').split('/').at(-1);
  } catch {
    return undefined;
  }
}

/** Milliseconds of CPU time that a thread has had; undefined where nobody counts, which some kernels say as 0. */
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
