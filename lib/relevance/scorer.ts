/** What the functions of this room need of an engine. */
import { isSignal } from '../checks/check-options.js';
import type { Score, ScoreInput, ScoreItem, ScoreOptions } from '../engine/scores.js';

export interface Scorer {
  score(input: ScoreInput, options?: ScoreOptions): Promise<Score>;
  scoreBatch(items: readonly (ScoreInput | ScoreItem)[], options?: ScoreOptions): Promise<Score[]>;
}

/** A scorer that knows how long texts are. */
export interface MeasuringScorer extends Scorer {
  tokenize(text: string): number[];
  readonly description: { contextLength: number };
}

export interface RelevanceOptions {
  signal?: AbortSignal | undefined;
}

export const RELEVANCE_CHECKS = { signal: isSignal };

/** What stands between a passage and what is asked of it. */
export const GAP = '\n\n';

export function mean(values: readonly number[]): number {
  return total(values) / values.length;
}

export function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
