/** One model, two engines: each in processes of its own that take turns, each figure beside what the machine could do. */
import { decodeBound, prefillBound } from '#lib/bench/bound.js';
import { summarize } from '#lib/bench/statistics.js';
import type { Summary } from '#lib/bench/statistics.js';
import type { ModelInfo } from '#lib/models/formats/model-info.js';
import type { MachinePeaks } from '#lib/native.js';

import { Driver, SHORT } from '../drivers/protocol.js';
import type { DriverOptions } from '../drivers/protocol.js';

const PREFILLS = [512, 2048];
const CONTEXTS = [2048];
const BATCHES = [1, 4, 16, 64];
const DECODED = 32;
export const LONGEST = 2304;

type Unit = 'tokens/s' | 'ms' | 'MB';

export interface Row {
  name: string;
  unit: Unit;
  ours: Summary;
  peer: Summary;
  /** With which the peer was best in this row, of those it was asked with. */
  peerThreads: number;
  /** Above 1: ours is better. */
  ratio: number;
  /** What this machine could do at most, where we know a bound. */
  bound?: number;
  /** Of llama.cpp's own batched benchmark, where it was given. */
  llamaCpp?: number;
}

export interface ContestOptions {
  file: string;
  info: ModelInfo;
  /** Where node-llama-cpp is. */
  modules: string;
  /** The most threads. */
  threads: number;
  runs: number;
  onProgress: (what: string) => void;
}

interface Contestant {
  name: 'ours' | 'node-llama-cpp';
  options: DriverOptions;
}

/** What is asked of a driver. */
type Ask = Parameters<Driver['call']>;

/** 1, 2, 4, ... and all. */
function threadCounts(all: number): number[] {
  const counts = [];
  for (let count = 1; count < all; count *= 2) counts.push(count);
  return [...counts, all];
}

export class Contest {
  readonly #ours: Contestant;
  readonly #peers: Contestant[];
  readonly #options: ContestOptions;
  readonly #context: number;
  readonly #rows: Row[] = [];

  constructor(options: ContestOptions) {
    this.#options = options;
    this.#context = Math.min(LONGEST, options.info.shape.contextLength);
    const common = { model: options.file, context: this.#context };
    this.#ours = { name: 'ours', options: { ...common, threads: options.threads } };
    this.#peers = threadCounts(options.threads).map((threads) => ({
      name: 'node-llama-cpp',
      options: { ...common, threads, modules: options.modules },
    }));
  }

  async run(): Promise<void> {
    await this.load();
    await this.speed();
    await this.batches();
  }

  rows(peaks: MachinePeaks): Row[] {
    return this.#rows.map((row) => ({ ...row, ...this.boundOf(row.name, peaks) }));
  }

  /** From the file to the first token, each time in a new process and with nothing else going on. */
  private async load(): Promise<void> {
    const { runs } = this.#options;
    const peer = this.#peers.at(-1)!;
    const forgetful = { ...this.#ours, options: { ...this.#ours.options, keeps: false } };
    await this.alone(this.#ours, 'firstToken'); // what is to be kept is kept now
    const measure = (contestant: Contestant) => this.alone(contestant, 'firstToken');
    const peers = [peer];
    for (const [name, ours] of [
      ['first token, first load', forgetful],
      ['first token, later loads', this.#ours],
    ] as const)
      await this.row(name, 'ms', ours, peers, runs, measure);
  }

  private async speed(): Promise<void> {
    const all = [this.#ours, ...this.#peers];
    await this.with(all, async (call) => {
      for (const who of all) await call(who, 'prefill', PREFILLS[0]!); // memory that is there already
      const row = (name: string, peers: Contestant[], ...ask: Ask) =>
        this.row(name, 'tokens/s', this.#ours, peers, this.#options.runs, (who) =>
          call(who, ...ask),
        );
      // With how many threads the peer is best is found out with little, for both separately.
      const best = ({ peerThreads }: Row) =>
        this.#peers.filter(({ options }) => options.threads === peerThreads);
      const prefill = best(await row('prefill 128', this.#peers, 'prefill', 128));
      const decode = best(await row('decode at 128', this.#peers, 'decode', 128, DECODED));
      const room = this.#context - DECODED - 1;
      for (const tokens of PREFILLS.filter((count) => count < this.#context))
        await row(`prefill ${tokens}`, prefill, 'prefill', tokens);
      for (const context of CONTEXTS.map((tokens) => Math.min(tokens, room)))
        await row(`decode at ${context}`, decode, 'decode', context, DECODED);
      await this.row(
        'peak memory',
        'MB',
        this.#ours,
        this.#peers.slice(-1),
        1,
        async (who) => (await call(who, 'memory')) / 1e6,
      );
    });
  }

  private async batches(): Promise<void> {
    const sequences = BATCHES.at(-1)!;
    const roomy = (who: Contestant): Contestant => ({
      ...who,
      options: { ...who.options, context: 2 * (SHORT + DECODED), sequences },
    });
    const ours = roomy(this.#ours);
    const peers = this.#peers.slice(-1).map(roomy);
    await this.with([ours, ...peers], async (call) => {
      for (const who of [ours, ...peers]) await call(who, 'batch', sequences, 2);
      for (const n of BATCHES)
        await this.row(
          `decode, ${n} together`,
          'tokens/s',
          ours,
          peers,
          this.#options.runs,
          (who) => call(who, 'batch', n, DECODED),
        );
    });
  }

  /** One figure of each, in turn; another one begins in each run. */
  private async row(
    name: string,
    unit: Unit,
    ours: Contestant,
    peers: Contestant[],
    runs: number,
    measure: (who: Contestant) => Promise<number>,
  ): Promise<Row> {
    const all = [ours, ...peers];
    const values: number[][] = all.map(() => []);
    for (let run = 0; run < runs; run++) {
      this.#options.onProgress(`${name}, run ${run + 1} of ${runs}`);
      for (let turn = 0; turn < all.length; turn++) {
        const i = (run + turn) % all.length;
        values[i]!.push(await measure(all[i]!));
      }
    }
    const [own, ...others] = values.map(summarize);
    const isBetter = (a: Summary, b: Summary) =>
      unit === 'tokens/s' ? a.median > b.median : a.median < b.median;
    const peer = others.reduce((a, b) => (isBetter(b, a) ? b : a));
    const row: Row = {
      name,
      unit,
      ours: own!,
      peer,
      peerThreads: peers[others.indexOf(peer)]!.options.threads,
      ratio: unit === 'tokens/s' ? own!.median / peer.median : peer.median / own!.median,
    };
    this.#rows.push(row);
    return row;
  }

  /** In a process that does nothing else, and that finishes what it keeps for later ones. */
  private async alone({ name, options }: Contestant, ...ask: Ask): Promise<number> {
    const driver = new Driver(name, options);
    try {
      const value = await driver.call(...ask);
      await driver.call('close');
      return value;
    } finally {
      await driver.end();
    }
  }

  private async with(
    contestants: Contestant[],
    use: (call: (who: Contestant, ...ask: Ask) => Promise<number>) => Promise<void>,
  ): Promise<void> {
    const drivers = new Map(contestants.map((who) => [who, new Driver(who.name, who.options)]));
    const call = (who: Contestant, ...ask: Ask) => drivers.get(who)!.call(...ask);
    try {
      for (const who of contestants) await call(who, 'firstToken');
      await use(call);
    } finally {
      for (const driver of drivers.values()) await driver.end();
    }
  }

  private boundOf(name: string, peaks: MachinePeaks): { bound?: number } {
    const { info } = this.#options;
    const kv = peaks.instructions === 'portable' ? 'f32' : 'bf16';
    const [, what, number] = /^(prefill|decode at|decode,) (\d+)/.exec(name) ?? [];
    const n = Number(number);
    if (what === 'prefill') return { bound: prefillBound(info, peaks, n) };
    if (what === 'decode at') return { bound: decodeBound(info, peaks, n, kv) };
    if (what === 'decode,') return { bound: decodeBound(info, peaks, SHORT + DECODED / 2, kv, n) };
    return {};
  }
}
