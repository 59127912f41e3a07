/**
 * Lanes for jobs of different sizes. A job waits only for jobs of its own class, whose sizes differ by a factor of 16 at
 * most above the first class. So no job waits in proportion to the size of a larger class's job. Each lane is a worker of its own,
 * started by the first job of its class; workers of the larger classes, which are rare, end when they have been idle.
 */
import { WorkerLane } from './worker-lane.js';
import type { LaneOptions } from './worker-lane.js';

/** Largest sizes, in characters, of all classes but the last. */
export const CLASSES = [64 << 10, 1 << 20] as const;

const IDLE_MS = 30_000;

export class WorkerLanes<Request, Answer> {
  /** For short jobs, and for jobs that are not about a text. */
  readonly first: WorkerLane<Request, Answer>;
  readonly #lanes: WorkerLane<Request, Answer>[];

  constructor(options: LaneOptions) {
    this.first = new WorkerLane(options);
    const larger = CLASSES.map(
      () => new WorkerLane<Request, Answer>({ ...options, idleMs: IDLE_MS }),
    );
    this.#lanes = [this.first, ...larger];
  }

  run(request: Request, size: number, signal?: AbortSignal): Promise<Answer> {
    const smaller = CLASSES.filter((largest) => size > largest).length;
    return this.#lanes[smaller]!.run(request, signal);
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.dispose()));
  }
}
