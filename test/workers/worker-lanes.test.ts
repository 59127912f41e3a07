/** Jobs in workers: who waits for whom, what an abort ends, and that every promise settles. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { CachalotError } from '../../lib/errors.js';
import { WorkerLane } from '../../lib/workers/worker-lane.js';
import type { LaneOptions } from '../../lib/workers/worker-lane.js';
import { WorkerLanes } from '../../lib/workers/worker-lanes.js';

interface Request {
  kind: 'count' | 'wait' | 'throw' | 'exit';
  gate?: Int32Array;
}

interface Answer {
  threadId: number;
  /** Jobs that this worker has done. */
  done: number;
}

const options: LaneOptions = {
  script: join(__dirname, '..', 'fixtures', 'lane-worker.cjs'),
  deadlineMs: 60_000,
  overdue: () => new CachalotError('tokenizer_timeout', 'overdue'),
  died: (error) => new CachalotError('internal', error.message),
};

/** A job that its worker does not end before `open`. */
function gatedJob() {
  const gate = new Int32Array(new SharedArrayBuffer(8));
  return {
    request: { kind: 'wait', gate } as Request,
    async begun() {
      while (Atomics.load(gate, 1) === 0) await new Promise((turn) => setTimeout(turn, 1));
    },
    open() {
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
    },
  };
}

const codeOf = (job: Promise<Answer>) =>
  job.then(
    () => 'done',
    (error: { code: string }) => error.code,
  );

describe('lanes', () => {
  let lanes: WorkerLanes<Request, Answer>;
  beforeEach(() => void (lanes = new WorkerLanes(options)));
  afterEach(() => lanes.dispose());

  test.each([
    [5 << 20, 100],
    [5 << 20, 200_000],
    [200_000, 100],
  ])('while a job of %d characters runs, one of %d ends', async (long, short) => {
    const slow = gatedJob();
    const order: string[] = [];
    const slowDone = lanes.run(slow.request, long).then(() => order.push('long'));
    await slow.begun();
    await lanes.run({ kind: 'count' }, short).then(() => order.push('short'));
    slow.open();
    await slowDone;
    expect(order).toEqual(['short', 'long']);
  });
});

describe('a lane', () => {
  let lane: WorkerLane<Request, Answer>;
  beforeEach(() => void (lane = new WorkerLane(options)));
  afterEach(() => lane.dispose());

  test('an aborted job fails at once, though its worker never ends it, and the next one runs', async () => {
    const endless = gatedJob();
    const abort = new AbortController();
    const first = codeOf(lane.run(endless.request, abort.signal));
    const next = lane.run({ kind: 'count' });
    await endless.begun();
    abort.abort();
    expect(await first).toBe('aborted');
    expect((await next).done).toBe(1); // the first of another worker
  });

  test('jobs that are aborted while they wait never reach the worker', async () => {
    const slow = gatedJob();
    const abort = new AbortController();
    const running = lane.run(slow.request);
    const waiting = Array.from({ length: 20 }, () =>
      codeOf(lane.run({ kind: 'count' }, abort.signal)),
    );
    const last = lane.run({ kind: 'count' });
    await slow.begun();
    abort.abort();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['aborted']));
    slow.open();
    const [before, after] = await Promise.all([running, last]);
    expect(after).toEqual({ threadId: before.threadId, done: 2 });
  });

  test('a worker that dies fails the job that it had, and the others run', async () => {
    const jobs = [lane.run({ kind: 'count' }), lane.run({ kind: 'exit' })];
    const after = lane.run({ kind: 'count' });
    expect(await Promise.all(jobs.map(codeOf))).toEqual(['done', 'internal']);
    expect((await after).done).toBe(1);
  });

  test('a job that throws fails alone, with its code', async () => {
    expect(await codeOf(lane.run({ kind: 'throw' }))).toBe('tokenizer_invalid');
    expect(await codeOf(lane.run({ kind: 'count' }))).toBe('done');
    expect(() => lane.runNow({ kind: 'throw' })).toThrow('no');
  });

  test('a worker that does not start fails all who wait for it', async () => {
    const broken = new WorkerLane<Request, Answer>({
      ...options,
      worker: { workerData: { fails: true } },
    });
    const jobs = [broken.run({ kind: 'count' }), broken.run({ kind: 'count' })];
    for (const job of jobs) await expect(job).rejects.toThrow('no vocabulary');
    await broken.dispose();
  });

  test('a worker that does not start in time fails all who wait for it, once', async () => {
    const died = jest.fn(options.died);
    const never = {
      ...options,
      script: join(__dirname, '..', 'fixtures', 'silent-worker.cjs'),
      startMs: 50,
      died,
    };
    const silent = new WorkerLane<Request, Answer>(never);
    const jobs = [1, 2].map(() => codeOf(silent.run({ kind: 'count' })));
    expect(await Promise.all(jobs)).toEqual(['internal', 'internal']);
    expect(died).toHaveBeenCalledTimes(1);
    await silent.dispose();
  });

  test('a worker that cannot be made, and a job that cannot be sent, fail with a code, and others run', async () => {
    const impossible = { ...options, worker: { resourceLimits: 7 as never, execArgv: ['--no'] } };
    const none = new WorkerLane<Request, Answer>(impossible);
    expect(await codeOf(none.run({ kind: 'count' }))).toBe('internal');
    await none.dispose();
    const unsendable = { kind: 'count', gate: (() => 0) as never } as Request;
    const jobs = [lane.run(unsendable), lane.run({ kind: 'count' })].map(codeOf);
    expect(await Promise.all(jobs)).toEqual(['internal', 'done']);
  });

  test('a blocking call whose worker dies does not wait for its deadline', async () => {
    await lane.run({ kind: 'count' });
    expect(() => lane.runNow({ kind: 'exit' })).toThrow(CachalotError);
    expect((await lane.run({ kind: 'count' })).done).toBe(1);
  });

  test('a blocking call is answered by the same worker, started or not', async () => {
    const first = lane.runNow({ kind: 'count' });
    const second = await lane.run({ kind: 'count' });
    const third = lane.runNow({ kind: 'count' });
    expect([first, second, third].map(({ done }) => done)).toEqual([1, 2, 3]);
    expect(second.threadId).toBe(first.threadId);
  });

  test('an idle worker ends, and another answers later', async () => {
    const brief = new WorkerLane<Request, Answer>({ ...options, idleMs: 1 });
    const first = await brief.run({ kind: 'count' });
    let next = first;
    while (next.threadId === first.threadId) {
      await new Promise((turn) => setTimeout(turn, 5));
      next = await brief.run({ kind: 'count' });
    }
    expect(next.done).toBe(1);
    await brief.dispose();
  });

  test('disposing does not wait for ever for a worker that does not end', async () => {
    const hasty = new WorkerLane<Request, Answer>({ ...options, endMs: 1 });
    const workers: Worker[] = [];
    const endless = jest.spyOn(Worker.prototype, 'terminate').mockImplementation(function (
      this: Worker,
    ) {
      workers.push(this);
      return new Promise(() => undefined);
    });
    await hasty.run({ kind: 'count' });
    await hasty.dispose();
    endless.mockRestore();
    expect(workers).toHaveLength(1);
    await workers[0]!.terminate();
  });

  test('disposing fails what runs and what waits', async () => {
    const endless = gatedJob();
    const jobs = [lane.run(endless.request), lane.run({ kind: 'count' })].map(codeOf);
    await endless.begun();
    await lane.dispose();
    expect(await Promise.all(jobs)).toEqual(['disposed', 'disposed']);
    expect(await codeOf(lane.run({ kind: 'count' }))).toBe('disposed');
    expect(() => lane.runNow({ kind: 'count' })).toThrow('disposed');
  });
});
