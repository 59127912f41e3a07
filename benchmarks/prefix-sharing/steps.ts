/** Steps of three kinds in turn, on the same sequences: as chosen, apart, and without attention. */
import { join } from 'node:path';

import { summarize } from '#lib/bench/statistics.js';
import { randomTokens } from '#lib/bench/workload.js';
import { Engine } from '#lib/engine.js';
import { native } from '#lib/native.js';

import type { StepTurns, TimedStep, Turn } from '../../test/testing/step-turns.js';
import { mustEqual } from '../harness/scenario.js';
import { testing } from '../harness/testing-addon.js';
import { CellsScenario, OWN, STEP_ROWS, loadOptions } from './cells.js';
import type { Cell, Steps } from './cells.js';

const TURNS: readonly Turn[] = ['chosen', 'apart', 'no attention'];
const PREFIX_OF_CHECK = 1000;

export class StepsScenario extends CellsScenario {
  readonly #turns: StepTurns = new testing.StepTurns();
  readonly #pairs: number;

  constructor(model: string, context: number, cells: readonly Cell[], pairs: number) {
    super(`${model}, steps`, model, context, cells);
    this.#pairs = pairs;
  }

  protected override load(): Promise<Engine> {
    return Engine.loadWith(this.model, loadOptions(this.context), device(), this.#turns);
  }

  /** Who reads what together must not change a bit. */
  async check(): Promise<void> {
    const { engine } = this;
    const ids = randomTokens(PREFIX_OF_CHECK, engine.description.vocabulary, 1);
    const kept = await engine.cache.add(ids, { pin: true });
    const answers = async (turn: Turn) => {
      this.#turns.take([turn]);
      const results = await this.generateAll(ids, 8, 8);
      return results.map(({ tokens, logprob }) => [tokens, logprob]);
    };
    const [chosen, apart] = [await answers('chosen'), await answers('apart')];
    engine.cache.release(kept);
    mustEqual('steps as chosen and apart', chosen, apart);
  }

  protected override async measureCell(cell: Cell, ids: readonly number[]): Promise<void> {
    cell.steps = await this.steps(ids, cell.sequences);
  }

  /** As many triples of steps as asked for, while all sequences decode. */
  private async steps(ids: readonly number[], sequences: number): Promise<Steps> {
    const { engine } = this;
    const turns = this.#turns;
    const before = { step: engine.explain().at(-1)?.step ?? -1, ...engine.stats() };
    turns.take(TURNS);
    turns.steps();
    // The first sequences decode already while the last are being prefilled.
    const joining = Math.ceil((sequences * OWN) / (STEP_ROWS - sequences)) + 2;
    await this.generateAll(ids, sequences, 3 * this.#pairs + 3 + joining);
    const all = turns.steps().filter(({ rows }) => rows === sequences);
    const hostUs = hostTime(engine, sequences, before);
    const triples: TimedStep[][] = [];
    for (let i = 0; i + 2 < all.length; i++) {
      const triple = all.slice(i, i + 3);
      if (triple[0]!.turn === 'chosen') triples.push(triple);
    }
    const ms = (step: TimedStep) => step.ms + hostUs / 1000;
    const times = (at: number) => summarize(triples.map((triple) => ms(triple[at]!)));
    const ratio = (a: number, b: number) =>
      summarize(triples.map((triple) => ms(triple[a]!) / ms(triple[b]!))).median;
    return {
      chosen: times(0),
      apart: times(1),
      bound: times(2),
      gain: ratio(1, 0),
      overBound: ratio(0, 2),
      hostUs,
      grouped: triples.some(([chosen]) => chosen!.isGrouped),
    };
  }
}

/** The device that `Engine.load` would take, named: the addon of the tests has no library beside it. */
function device() {
  const isOnGpu = native().cuda('').devices.length > 0;
  const cudaLibrary = join(process.cwd(), 'build', 'Release', 'libcachalot_cuda.so');
  return isOnGpu ? { device: 'cuda', cudaLibrary } : { device: 'cpu' };
}

/** Microseconds of scheduling and planning in a step in which all decode; of a lone sequence, which shares nothing, in any step. */
function hostTime(
  engine: Engine,
  sequences: number,
  before: { step: number; steps: number; hostMs: number },
): number {
  const shared = engine
    .explain()
    .filter(
      ({ step, decoding, rows }) =>
        step > before.step && decoding === sequences && rows === sequences,
    );
  if (shared.length > 0) return summarize(shared.map(({ hostUs }) => hostUs)).median;
  const { steps, hostMs } = engine.stats();
  return (1000 * (hostMs - before.hostMs)) / (steps - before.steps);
}
