/** Engines whose decoding steps take turns. See native/addon/testing/turn_taking_backend.h. */
import type { EngineLoader } from '../../lib/native.js';

/** How a decoding step is carried out; without attention its results are wrong. */
export type Turn = 'chosen' | 'apart' | 'no attention';

/** A decoding step: each of its rows is the last token of a sequence of its own. */
export interface TimedStep {
  turn: Turn;
  rows: number;
  /** The engine's plan: some sequences read a range together. */
  isGrouped: boolean;
  /** From its first op until all are done; planning is not in it. */
  ms: number;
}

/** Loads one engine, whose decoding steps take turns. */
export interface StepTurns extends EngineLoader {
  /** Decoding steps take these turns, one after the other, from the next one on. As chosen, until then. */
  take(turns: readonly Turn[]): void;
  /** The decoding steps since the last call. */
  steps(): TimedStep[];
}

export interface StepTurnsBinding {
  StepTurns: new () => StepTurns;
}
