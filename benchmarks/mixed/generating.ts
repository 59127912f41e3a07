/** Sequences that generate until they are stopped, and the gaps between their tokens. */
import { randomTokens } from '#lib/bench/workload.js';
import type { Engine } from '#lib/engine.js';

const PROMPT = 32;

export class Generating {
  readonly #ends: Promise<void>[];
  readonly #stop = new AbortController();
  #gaps: number[] = [];

  /** `maxTokens`: more than are ever wanted. */
  constructor(engine: Engine, sequences: number, maxTokens: number) {
    const { vocabulary } = engine.description;
    this.#ends = Array.from({ length: sequences }, async (_, i) => {
      const options = { maxTokens, ignoreEos: true, signal: this.#stop.signal };
      const generation = engine.completeTokens(randomTokens(PROMPT, vocabulary, i), options);
      let last = 0;
      try {
        for await (const { id } of generation.tokens()) {
          const now = performance.now();
          if (last > 0 && id >= 0) this.#gaps.push(now - last);
          last = now;
        }
      } catch (error) {
        if (!this.#stop.signal.aborted) throw error;
      }
    });
  }

  /** Gaps since the last call, in milliseconds. */
  take(): number[] {
    const gaps = this.#gaps;
    this.#gaps = [];
    return gaps;
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#ends);
  }
}
