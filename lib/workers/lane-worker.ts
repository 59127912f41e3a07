/** The worker's side of a lane. */
import { parentPort } from 'node:worker_threads';

import { fromNative } from '../errors.js';
import { ownThread } from './thread-clock.js';
import type { LaneAnswer, LaneMessage } from './worker-lane.js';

/** Buffers that are transferred to the other thread with an answer instead of copied. */
export type Transfer = (buffer: ArrayBuffer) => void;

/** Answers the jobs of a lane with the function that `ready` resolves to. */
export function serve<Request, Answer>(
  ready: Promise<(request: Request, transfer: Transfer) => Answer>,
): void {
  const say = (port: typeof parentPort, message: LaneAnswer<Answer>, list: ArrayBuffer[] = []) =>
    port?.postMessage(message, list);
  parentPort!.on('message', ({ request, now }: LaneMessage<Request>) => {
    void ready
      .then((answer) => {
        const list: ArrayBuffer[] = [];
        const message = { answer: answer(request, (buffer) => list.push(buffer)) };
        say(now?.port ?? parentPort, message, list);
      })
      .catch((error: unknown) => say(now?.port ?? parentPort, failure(error)))
      .finally(() => {
        if (!now) return;
        Atomics.store(now.done, 0, 1);
        Atomics.notify(now.done, 0);
      });
  });
  ready.then(
    () => say(parentPort, { ready: true, thread: ownThread() }),
    (error: unknown) => say(parentPort, failure(error)),
  );
}

function failure(error: unknown): { error: { code: string; message: string } } {
  const { code, message } = fromNative(error);
  return { error: { code, message } };
}
