/** Ends a worker, with a time limit: a thread deep in V8's own code does not end before it leaves that code. */
import { clearTimeout, setTimeout } from 'node:timers';
import type { Worker } from 'node:worker_threads';

/** Threads end in milliseconds, on a busy machine still within this time. */
const PATIENCE_MS = 5000;

/** Resolves when the worker has ended or is given up. A worker that is given up keeps no program alive. */
export async function endWorker(worker: Worker, patienceMs = PATIENCE_MS): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(() => (worker.unref(), resolve()), patienceMs);
  });
  await Promise.race([worker.terminate(), patience]);
  clearTimeout(timer);
}
