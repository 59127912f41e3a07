/**
 * Lanes for jobs of different sizes: a job waits for others of its own class only, whose sizes differ by a factor of 16 at
 * most above the first. So nobody waits in proportion to the size of somebody else's job. Each lane is a worker of its own,
 * started when a job of its class first comes; those of the larger classes, which are rare, end when they have been idle.
 */
import { WorkerLane } from './worker-lane.js';
import type { LaneOptions } from './worker-lane.js';

/** Largest sizes, in characters, of all classes but the last. */
export const CLASSES = [64 << 10, 1 << 20] as const;

const IDLE_MS = 30_000;

export class WorkerLanes<Request, Answer> {
  /** For short jobs, and those that are not about a text. */
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
