/** An engine in a process of its own, which does one measurement at a time when it is asked to. */
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DriverOptions {
  model: string;
  threads: number;
  /** Longest context that will be asked for. */
  context: number;
  /** How many sequences will be asked for at once. Default 1. */
  sequences?: number;
  /** Where the engine is installed, if it is not this one. */
  modules?: string;
  /** Whether what an earlier load has kept may be used, where there is such a thing. Default true. */
  keeps?: boolean;
}

/** What a driver can do. */
export interface Measurements {
  /** Milliseconds from the file to an engine that can take a prompt; starting the library itself is not counted. */
  load(): Promise<number>;
  /** Begins to generate after a prompt, in one of the sequences; each `next` is a token. Both are timed here, by the same
   *  clock for all. */
  generate(tokens: number, sequence?: number): Promise<AsyncGenerator<unknown>>;
  /** A prefix that has not been evaluated, then sequences with tokens of their own that each generate some: until all of
   *  them have, in the best way that the engine offers to its users. */
  shared(job: SharedJob): Promise<void>;
  /** Finishes what it does beside being asked, and frees everything. */
  close(): Promise<void>;
}

/** Tokens of a prompt that hardly counts. */
export const SHORT = 16;

export interface SharedJob {
  prefix: number;
  sequences: number;
  own: number;
  generated: number;
}

/** Tokens per second. */
async function prefill(engine: Measurements, tokens: number): Promise<number> {
  const start = performance.now();
  const generated = await engine.generate(tokens);
  await next(generated);
  const ms = performance.now() - start;
  await generated.return(undefined);
  return (1000 * tokens) / ms;
}

async function decode(engine: Measurements, context: number, tokens: number): Promise<number> {
  const generated = await engine.generate(context);
  await next(generated);
  const start = performance.now();
  for (let i = 0; i < tokens; i++) await next(generated);
  const ms = performance.now() - start;
  await generated.return(undefined);
  return (1000 * tokens) / ms;
}

/** From the file to the first token, in milliseconds. */
async function firstToken(engine: Measurements): Promise<number> {
  const loading = await engine.load();
  const start = performance.now();
  const generated = await engine.generate(SHORT);
  await next(generated);
  const ms = performance.now() - start;
  await generated.return(undefined);
  return loading + ms;
}

/** Generated tokens per second of so many sequences that share nothing, their short prompts included: an engine may run
 *  ahead of who reads it, so no moment in between would be the same for all. */
async function batch(engine: Measurements, sequences: number, tokens: number): Promise<number> {
  const start = performance.now();
  await Promise.all(
    Array.from({ length: sequences }, async (_, sequence) => {
      const generated = await engine.generate(SHORT, sequence);
      for (let i = 0; i < tokens; i++) await next(generated);
      await generated.return(undefined);
    }),
  );
  return (1000 * sequences * tokens) / (performance.now() - start);
}

async function next(generated: AsyncGenerator<unknown>): Promise<void> {
  if ((await generated.next()).done) throw new Error('the engine stopped before it should');
}

type Method =
  'close' | 'load' | 'firstToken' | 'prefill' | 'decode' | 'batch' | 'shared' | 'memory';
type Call = { method: Method; args: number[] };
type Answer = { value: number } | { error: string };

/** In the child: serves an engine made of the options in its arguments. */
export function serve(open: (options: DriverOptions) => Measurements): void {
  const engine = open(JSON.parse(process.argv[2]!) as DriverOptions);
  const methods: Record<Call['method'], (...args: number[]) => Promise<number> | number> = {
    close: () => engine.close().then(() => 0),
    load: () => engine.load(),
    firstToken: () => firstToken(engine),
    batch: (sequences, tokens) => batch(engine, sequences, tokens),
    prefill: (tokens) => prefill(engine, tokens),
    decode: (context, tokens) => decode(engine, context, tokens),
    shared: async (prefix, sequences, own, generated) => {
      const start = performance.now();
      await engine.shared({ prefix, sequences, own, generated });
      return performance.now() - start;
    },
    memory: peakMemory,
  };
  process.on('message', ({ method, args }: Call) => {
    Promise.resolve(methods[method](...args)).then(
      (value) => process.send!({ value } satisfies Answer),
      (error: unknown) => process.send!({ error: String(error) } satisfies Answer),
    );
  });
}

/** Bytes, of this process. */
function peakMemory(): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  return line ? Number(line[1]) * 1024 : process.memoryUsage.rss();
}

/** In the parent. */
export class Driver {
  readonly #child;

  constructor(name: 'ours' | 'node-llama-cpp', options: DriverOptions) {
    this.#child = fork(join(__dirname, `${name}.js`), [JSON.stringify(options)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  }

  call(method: Call['method'], ...args: number[]): Promise<number> {
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error(`the engine's process ended during ${method}`));
      this.#child.once('exit', onExit);
      this.#child.once('message', (answer: Answer) => {
        this.#child.off('exit', onExit);
        if ('error' in answer) reject(new Error(answer.error));
        else resolve(answer.value);
      });
      this.#child.send({ method, args } satisfies Call);
    });
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}
