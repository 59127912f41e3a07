/**
 * One worker and the jobs that wait for it; it does them one after the other. The first job starts the worker, and the next job
 * starts it again after it had to be stopped. It never keeps an idle process alive, and ends when the lane is no longer referenced.
 */
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads';
import type { MessagePort, WorkerOptions } from 'node:worker_threads';

import { outsideArchive } from '../binary/package-root.js';
import { CachalotError, abortError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { onAbort } from '../signals/abort.js';
import { endWorker } from './end-worker.js';
import { cpuMsOf } from './thread-clock.js';

export interface LaneOptions {
  /** The worker's file: a `join` of `__dirname` and names, which tools that gather a program's files can follow. */
  script: string;
  worker?: WorkerOptions;
  /** Deadline of one job: CPU time of the worker if the system reports it, else time since the worker received the job. */
  deadlineMs: number;
  /** For tests. Default: two minutes, because a start takes seconds with the largest vocabularies. */
  startMs?: number;
  /** For tests. Default: five seconds, after which a worker that does not end is given up. */
  endMs?: number;
  /** Stops a worker that has had no job for so long. Default: never. */
  idleMs?: number;
  /** The error of a job that is over its deadline. */
  overdue: () => CachalotError;
  /** The error of a job whose worker dies of `error`. */
  died: (error: NodeJS.ErrnoException) => CachalotError;
}

/** A message to the worker. `now` comes from a caller that blocks until the answer is there. */
export interface LaneMessage<Request> {
  request: Request;
  now?: { port: MessagePort; done: Int32Array };
}

export interface LaneError {
  code: string;
  message: string;
}

/** Messages of a worker: first that it is ready, then the answer to each job in turn. */
export type LaneAnswer<Answer> =
  { ready: true; thread: string | undefined } | { answer: Answer } | { error: LaneError };

interface Job<Request, Answer> {
  request: Request;
  resolve(answer: Answer): void;
  reject(error: CachalotError): void;
}

const START_MS = 120_000;

/** A worker that gets no CPU time for so many times its deadline is given up in any case, but not before a minute. */
const PATIENCE = 10;
const LEAST_PATIENCE_MS = 60_000;

/** The interval at which a blocked thread checks that the worker still lives. */
const SLICE_MS = 250;

/** Lanes with jobs. They must stay alive even if no other reference exists. */
const busy = new Set<object>();

/** Ends the worker of a lane that was dropped without `dispose`. */
const forgotten = new FinalizationRegistry<Worker>((worker) => void worker.terminate());

const disposed = () => new CachalotError('disposed', 'the engine has been disposed');

const fromWorker = ({ code, message }: LaneError) => new CachalotError(code as ErrorCode, message);

export class WorkerLane<Request, Answer> {
  readonly #options: LaneOptions;
  readonly #queue = new Set<Job<Request, Answer>>();
  #current: Job<Request, Answer> | undefined; // the worker is doing it
  #worker: Worker | undefined;
  #started = 0;
  #startMs: number | undefined; // how long its start took, once it is ready
  #thread: string | undefined; // the worker's
  #timer: NodeJS.Timeout | undefined;
  #ending: Promise<unknown> = Promise.resolve(); // of workers that were stopped
  #disposed = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Rejects at once when `signal` is aborted. */
  run(request: Request, signal?: AbortSignal): Promise<Answer> {
    const result = new Promise<Answer>((resolve, reject) => {
      if (this.#disposed) throw disposed();
      if (signal?.aborted) throw abortError(signal);
      const job: Job<Request, Answer> = {
        request,
        resolve: (answer) => (release(), resolve(answer)),
        reject: (error) => (release(), reject(error)),
      };
      const release = onAbort(signal, () => this.abandon(job, abortError(signal)));
      this.#queue.add(job);
      this.next();
    });
    result.catch(() => undefined); // also for a caller that disposes before it awaits the result
    return result;
  }

  /** Blocks this thread until the answer is there; only the job that the worker is doing comes first. */
  runNow(request: Request): Answer {
    if (this.#disposed) throw disposed();
    const worker = (this.#worker ??= this.start());
    const { port1, port2 } = new MessageChannel();
    const done = new Int32Array(new SharedArrayBuffer(4));
    const message: LaneMessage<Request> = { request, now: { port: port2, done } };
    worker.postMessage(message, [port2]);
    this.wait(done);
    const received: { message?: unknown } | undefined = receiveMessageOnPort(port1);
    port1.close();
    const said = received?.message as LaneAnswer<Answer> | undefined;
    if (said && 'answer' in said) return said.answer;
    if (said && 'error' in said) throw fromWorker(said.error);
    const overdue = this.#options.overdue();
    this.stop(overdue);
    throw overdue;
  }

  /** Waits until the answer is there, the deadline is over, or the worker's thread has ended. */
  private wait(done: Int32Array): void {
    const end = performance.now() + this.#options.deadlineMs;
    while (Atomics.wait(done, 0, 0, SLICE_MS) === 'timed-out' && performance.now() < end)
      if (this.#thread !== undefined && cpuMsOf(this.#thread) === undefined) return;
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    this.stop(disposed(), [...this.#queue]);
    await this.#ending;
  }

  private next(): void {
    if (this.#current) return;
    if (this.#queue.size === 0) return this.rest();
    busy.add(this);
    try {
      const worker = (this.#worker ??= this.start());
      worker.ref(); // a program whose last work is this job must not end before it
      if (this.#startMs === undefined) return;
      const [job] = this.#queue;
      this.#queue.delete(job!);
      this.#current = job;
      this.watch(job!);
      worker.postMessage({ request: job!.request } satisfies LaneMessage<Request>);
    } catch (error) {
      this.cannotGoOn(error as Error);
    }
  }

  /** There is no thread for a worker, or no memory for a message: the jobs fail, since no answer will come. */
  private cannotGoOn(error: Error): void {
    const reason = this.#options.died(error);
    const [current, waiting] = [this.#current, [...this.#queue]];
    this.clearTimer();
    this.#current = undefined;
    current?.reject(reason);
    if (!this.#worker) {
      this.#queue.clear();
      for (const job of waiting) job.reject(reason);
    }
    this.next();
  }

  private rest(): void {
    busy.delete(this);
    this.#worker?.unref();
    const { idleMs } = this.#options;
    if (idleMs !== undefined && this.#startMs !== undefined)
      this.#timer = stopLater(new WeakRef(this), idleMs);
  }

  /** Stops the worker when a job has used up its time. */
  private watch(job: Job<Request, Answer>): void {
    const { deadlineMs, overdue } = this.#options;
    const [begun, cpuBegun] = [performance.now(), cpuMsOf(this.#thread)];
    const check = () => {
      if (this.#current !== job) return;
      const cpu = cpuMsOf(this.#thread);
      const waited = performance.now() - begun;
      const used = cpu === undefined || cpuBegun === undefined ? waited : cpu - cpuBegun;
      const isOver =
        used >= deadlineMs || waited >= Math.max(PATIENCE * deadlineMs, LEAST_PATIENCE_MS);
      if (isOver) return this.stop(overdue());
      this.afterwards(Math.max(1, deadlineMs - used), check);
    };
    this.afterwards(deadlineMs, check);
  }

  /** The time is over. While this thread was busy an answer may have arrived in the queue, so look there first. */
  private setTimer(ms: number, reason: () => CachalotError): void {
    this.afterwards(ms, () => this.stop(reason()));
  }

  private afterwards(ms: number, action: () => void): void {
    clearTimeout(this.#timer);
    const timer = setTimeout(() => setImmediate(() => timer === this.#timer && action()), ms);
    this.#timer = timer;
  }

  private start(): Worker {
    const { script, worker: options, died, startMs = START_MS } = this.#options;
    const worker = new Worker(outsideArchive(script), options);
    worker.unref();
    this.#started = performance.now();
    this.afterwards(startMs, () =>
      this.stop(died(new Error('it did not start in time')), [...this.#queue]),
    );
    this.#timer?.unref();
    listen(worker, new WeakRef(this));
    forgotten.register(this, worker, worker);
    return worker;
  }

  /** @internal */
  hear(worker: Worker, message: LaneAnswer<Answer>): void {
    if (worker !== this.#worker) return;
    this.clearTimer();
    const job = this.#current;
    this.#current = undefined;
    if ('ready' in message) {
      this.#startMs = performance.now() - this.#started;
      this.#thread = message.thread;
    } else if ('answer' in message) job?.resolve(message.answer);
    else if (job) job.reject(fromWorker(message.error));
    // It did not start, and would not start for the other jobs.
    else return this.stop(fromWorker(message.error), [...this.#queue]);
    this.next();
  }

  /** @internal */
  mourn(worker: Worker, error: NodeJS.ErrnoException): void {
    if (worker !== this.#worker) return;
    const jobs = this.#current || this.#startMs !== undefined ? [] : [...this.#queue];
    this.stop(this.#options.died(error), jobs);
  }

  /** @internal */
  stopIfIdle(): void {
    if (!this.#current && this.#queue.size === 0) this.stop(disposed());
  }

  /**
   * An aborted job that the worker is doing may continue for as long as a new worker would take to start. So the waiting jobs
   * lose at most twice the time of the better choice.
   */
  private abandon(job: Job<Request, Answer>, error: CachalotError): void {
    if (this.#queue.delete(job) && this.#queue.size === 0 && !this.#current) this.rest();
    if (this.#current === job) this.setTimer(this.#startMs!, () => error);
    job.reject(error);
  }

  /** Fails the job that the worker is doing, and the given others. */
  private stop(reason: CachalotError, jobs: Job<Request, Answer>[] = []): void {
    const [worker, current] = [this.#worker, this.#current];
    this.clearTimer();
    this.#worker = undefined;
    this.#current = undefined;
    this.#startMs = undefined;
    this.#thread = undefined;
    if (worker) {
      forgotten.unregister(worker);
      const [earlier, ended] = [this.#ending, endWorker(worker, this.#options.endMs)];
      this.#ending = earlier.then(() => ended);
    }
    current?.reject(reason);
    for (const job of jobs) {
      this.#queue.delete(job);
      job.reject(reason);
    }
    this.next();
  }

  private clearTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** A worker lives as long as its thread, so its callbacks must not hold the lane. */
function listen<Request, Answer>(worker: Worker, lane: WeakRef<WorkerLane<Request, Answer>>): void {
  worker.on('message', (message: LaneAnswer<Answer>) => lane.deref()?.hear(worker, message));
  worker.on('error', (error) => lane.deref()?.mourn(worker, error));
  worker.on('exit', (code) => lane.deref()?.mourn(worker, new Error(`it exited with ${code}`)));
}

function stopLater<Request, Answer>(
  lane: WeakRef<WorkerLane<Request, Answer>>,
  ms: number,
): NodeJS.Timeout {
  return setTimeout(() => lane.deref()?.stopIfIdle(), ms).unref();
}
