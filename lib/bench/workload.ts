/** The benchmarks' requests to an engine: prompts of random tokens, alone and together. Rates are tokens per second. */
import type { Engine } from '../engine.js';

/** The same ids for the same seed; the first few ids are left out, because most vocabularies have special tokens there. */
export function randomTokens(count: number, vocabulary: number, seed: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => 3 + ((i * 7919 + seed * 104_729) % (vocabulary - 3)),
  );
}

export class Workload {
  readonly #engine: Engine;
  readonly #vocabulary: number;
  #seed = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#vocabulary = engine.description.vocabulary;
  }

  /** Computes a prompt of so many tokens, up to its first token. */
  async prefill(tokens: number, signal?: AbortSignal): Promise<number> {
    const { timings } = await this.generate(tokens, 1, signal);
    return (1000 * tokens) / timings.prefillMs;
  }

  /** Generates after a prompt of so many tokens. */
  async decode(context: number, tokens: number, signal?: AbortSignal): Promise<number> {
    const { timings } = await this.generate(context, tokens + 1, signal);
    return (1000 * tokens) / timings.decodeMs;
  }

  /** Runs so many sequences together that share nothing. */
  async batch(sequences: number, tokens: number, signal?: AbortSignal): Promise<number> {
    const results = await Promise.all(
      Array.from({ length: sequences }, () => this.generate(2, tokens + 1, signal)),
    );
    return (
      (1000 * sequences * tokens) / Math.max(...results.map(({ timings }) => timings.decodeMs))
    );
  }

  private generate(context: number, maxTokens: number, signal: AbortSignal | undefined) {
    this.#engine.clearCache();
    const tokens = randomTokens(context, this.#vocabulary, this.#seed++);
    const options = { maxTokens, ignoreEos: true, ...(signal ? { signal } : {}) };
    return this.#engine.completeTokens(tokens, options).result;
  }
}
