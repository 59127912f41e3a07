/** The end of a worker, for which nobody waits without end: a thread that is deep in the engine's own code ends only after that. */
import { clearTimeout, setTimeout } from 'node:timers';
import type { Worker } from 'node:worker_threads';

/** Threads end in milliseconds, also on a busy machine in less than this. */
const PATIENCE_MS = 5000;

/** Resolves when it has ended or is given up; one that is given up keeps no program alive. */
export async function endWorker(worker: Worker, patienceMs = PATIENCE_MS): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(() => (worker.unref(), resolve()), patienceMs);
  });
  await Promise.race([worker.terminate(), patience]);
  clearTimeout(timer);
}
