/** Runs a batch: turns its prompts into tokens, finds their order, and keeps the engine supplied. */
import { setImmediate } from 'node:timers';

import type { EngineParts } from '../engine/engine-parts.js';
import { abortError, withOurErrors } from '../errors.js';
import type { GenerationResult } from '../generation/generation-result.js';
import type { BatchPlace } from '../generation/generation-source.js';
import { layoutKey } from '../layout/layout.js';
import { native } from '../native.js';
import type { ChatOptions } from '../options/generate-options.js';
import { prepare, startItem } from './batch-item.js';
import type { PreparedItem, ReadItem } from './batch-item.js';

/** How many generations the engine holds at once: more than run together, so that the scheduler always has a choice. */
const WINDOW = 512;
/** After so many milliseconds of tokenizing, the event loop gets its turn. */
const TURN_MS = 4;

export interface RunnerOptions {
  schedule: 'prefix-grouped' | 'fcfs';
  /** Completions of each prompt. */
  completions: number;
  /** Options of all items, with the batch's signal. */
  generate: ChatOptions & { signal: AbortSignal };
}

/** The outcome of one completion. */
export type Outcome = { result: GenerationResult } | { error: unknown };

/** One completion of one prompt, in the order in which they run. */
interface Unit {
  index: number;
  completion: number;
  place?: BatchPlace;
}

export class BatchRunner {
  readonly #engine: EngineParts;
  readonly #items: (ReadItem | undefined)[]; // until they have become tokens
  readonly #options: RunnerOptions;
  readonly #onEnd: (index: number, completion: number, outcome: Outcome) => void;
  readonly #prepared: (Promise<PreparedItem | { error: unknown }> | undefined)[] = [];
  #last: Promise<unknown> = Promise.resolve(); // prompts become tokens one after the other
  #turn = performance.now();
  readonly #places = new Map<string, number>();

  constructor(
    engine: EngineParts,
    items: readonly ReadItem[],
    options: RunnerOptions,
    onEnd: (index: number, completion: number, outcome: Outcome) => void,
  ) {
    this.#engine = engine;
    this.#items = [...items];
    this.#options = options;
    this.#onEnd = onEnd;
  }

  /** Settles when every completion has ended; never rejects. */
  async run(): Promise<void> {
    const isGrouped = this.#options.schedule === 'prefix-grouped' && this.#items.length > 1;
    let units: Unit[];
    try {
      units = isGrouped ? await this.grouped() : this.inOrder();
    } catch (error) {
      // No item can be submitted any more, for example because the engine has been disposed.
      for (const { index, completion } of this.inOrder()) this.#onEnd(index, completion, { error });
      return;
    }
    let next = 0;
    const worker = async () => {
      for (let unit = units[next++]; unit; unit = units[next++]) await this.runUnit(unit);
    };
    await Promise.all(Array.from({ length: Math.min(WINDOW, units.length) }, worker));
  }

  private inOrder(): Unit[] {
    const { completions } = this.#options;
    return this.#items.flatMap((_, index) =>
      Array.from({ length: completions }, (__, completion) => ({ index, completion })),
    );
  }

  /** All prompts become tokens first; then their common prefixes decide which of them run together. */
  private async grouped(): Promise<Unit[]> {
    const { completions } = this.#options;
    const orderer = withOurErrors(new (native().PromptOrderer)());
    const indices: number[] = []; // of valid prompts
    const lengths: number[] = [];
    const failed: Unit[] = [];
    for (const index of this.#items.keys()) {
      const prepared = await this.prepared(index);
      if ('error' in prepared) {
        failed.push(
          ...Array.from({ length: completions }, (_, completion) => ({ index, completion })),
        );
      } else {
        const { prompt, namespace, options: own } = prepared;
        const { base, ids } = prompt.content;
        const place = `${namespace}\0${layoutKey(base)}`;
        orderer.add(this.keyed(place, ids), own.maxTokens);
        indices.push(index);
        lengths[index] = ids.length;
      }
    }
    const { order, sharedWithNext } = await orderer.order();
    const ordered = Array.from(order, (at) => indices[at]!);
    // The completions of one prompt share all of it.
    const shared = Int32Array.from(
      ordered.flatMap((index, rank) =>
        Array.from({ length: completions }, (_, completion) =>
          completion + 1 < completions ? lengths[index]! : sharedWithNext[rank]!,
        ),
      ),
    );
    const batch = this.#engine.core.beginBatch(shared);
    const units = ordered.flatMap((index, rank) =>
      Array.from({ length: completions }, (_, completion) => ({
        index,
        completion,
        place: { batch, rank: rank * completions + completion },
      })),
    );
    return [...failed, ...units];
  }

  /** Prompts of different namespaces, or after different contexts, share nothing, so those of another place get another first token. */
  private keyed(place: string, ids: Int32Array): Int32Array {
    if (place === `${this.#engine.namespace}\0`) return ids;
    const known = this.#places.get(place) ?? this.#places.size + 1;
    this.#places.set(place, known);
    const keyed = ids.slice();
    keyed[0] = -known;
    return keyed;
  }

  private async runUnit({ index, completion, place }: Unit): Promise<void> {
    const outcome = await this.outcomeOf(index, completion, place);
    if (place && 'error' in outcome) this.#engine.core.skipBatchItem(place);
    this.#onEnd(index, completion, outcome);
  }

  private async outcomeOf(
    index: number,
    completion: number,
    place: BatchPlace | undefined,
  ): Promise<Outcome> {
    const { signal } = this.#options.generate;
    try {
      if (signal.aborted) throw abortError(signal);
      const preparing = this.prepared(index);
      if (completion + 1 === this.#options.completions) this.#prepared[index] = undefined; // the last completion to ask for it
      const prepared = await preparing;
      if ('error' in prepared) return prepared;
      const generation = startItem(this.#engine, prepared, { completion, place, signal });
      return { result: await generation.result };
    } catch (error) {
      return { error };
    }
  }

  private prepared(index: number): Promise<PreparedItem | { error: unknown }> {
    return (this.#prepared[index] ??= this.next(() => this.prepare(index)));
  }

  /** Runs after the prompts before it. */
  private next<T>(make: () => Promise<T>): Promise<T> {
    const made = this.#last.then(make);
    this.#last = made;
    return made;
  }

  private async prepare(index: number): Promise<PreparedItem | { error: unknown }> {
    const { generate } = this.#options;
    try {
      if (performance.now() - this.#turn > TURN_MS) {
        await new Promise<void>((resume) => setImmediate(resume));
        this.#turn = performance.now();
      }
      if (generate.signal.aborted) throw abortError(generate.signal);
      return await prepare(this.#engine, this.#items[index]!, generate);
    } catch (error) {
      return { error };
    } finally {
      this.#items[index] = undefined;
    }
  }
}
