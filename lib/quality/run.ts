/** Runs a comparison: loads the engines, asks all questions, and keeps what has been measured. */
import { Engine } from '../engine.js';
import { askAll } from './answers.js';
import { lengthsOf, samplesOf } from './comparison.js';
import type { Comparison } from './comparison.js';
import { compareOn } from './divergence.js';
import type { Journal } from './journal.js';
import { Random } from '../relevance/random.js';
import { BASELINE, engineKey } from './settings.js';
import type { Setting } from './settings.js';
import { Haystack } from './text/haystack.js';

export interface Progress {
  done: number;
  total: number;
  what: string;
}

type Named = Pick<Comparison, 'model' | 'load'>;

export class QualityRun {
  readonly #comparison: Comparison;
  readonly #journal: Journal;
  readonly #signal: AbortSignal;
  readonly #onProgress: (progress: Progress) => void;
  readonly #haystacks = new WeakMap<Engine, Haystack>();
  #done = 0;
  #total = 0;

  constructor(
    comparison: Comparison,
    journal: Journal,
    { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: Progress) => void },
  ) {
    this.#comparison = comparison;
    this.#journal = journal;
    this.#signal = signal;
    this.#onProgress = onProgress;
  }

  /** Leaves everything in the journal, also if it is interrupted. */
  async run(): Promise<{ lengths: number[]; description: Engine['description'] }> {
    const { settings, passages } = this.#comparison;
    const baseline = await this.load(this.#comparison);
    try {
      const { description } = baseline;
      const lengths = lengthsOf(this.#comparison, description.contextLength);
      const all: Setting[] = [{ name: BASELINE, load: {} }, ...settings];
      const samples = samplesOf(this.#comparison, lengths).length;
      this.#total = all.length * (samples + passages);
      // What cannot be loaded, or is too small, is told before anything is measured.
      for (const group of groups(all).slice(1))
        await this.withEngine(baseline, group, (engine) => {
          lengthsOf({ ...this.#comparison, lengths }, engine.description.contextLength);
        });
      for (const group of groups(all)) {
        const measure = async (engine: Engine) => {
          await this.compare(baseline, engine, group);
          await this.ask(baseline, engine, group, lengths);
        };
        await this.withEngine(baseline, group, measure);
      }
      return { lengths, description };
    } finally {
      try {
        await this.#journal.close();
      } finally {
        await baseline.dispose();
      }
    }
  }

  /** The baseline's own engine, if the settings need no other. */
  private async withEngine(
    baseline: Engine,
    [setting]: readonly Setting[],
    use: (engine: Engine) => Promise<void> | void,
  ): Promise<void> {
    if (engineKey(setting!) === engineKey({ load: {} })) return use(baseline);
    const engine = await this.load(this.named(setting!));
    try {
      await use(engine);
    } finally {
      await engine.dispose();
    }
  }

  /** Options of a setting change single ones of the baseline's, also within `kv`. */
  private named({ model, load }: Setting): Named {
    const { model: own, load: given } = this.#comparison;
    const kv = given.kv || load.kv ? { kv: { ...given.kv, ...load.kv } } : {};
    return { model: model ?? own, load: { ...given, ...load, ...kv } };
  }

  private load({ model, load }: Named): Promise<Engine> {
    return Engine.load(model, { ...load, signal: this.#signal });
  }

  /** The questions are made with the baseline's tokenizer: all settings are asked the same. */
  private async ask(
    baseline: Engine,
    engine: Engine,
    group: readonly Setting[],
    lengths: readonly number[],
  ) {
    for (const { name, make } of samplesOf(this.#comparison, lengths)) {
      const left = group.filter((setting) => !this.#journal.hasAnswers(setting.name, name));
      if (left.length > 0) {
        this.tell(`${name.task}, ${name.length} tokens`, left);
        const sample = make(this.haystackFor(baseline), (text) => baseline.tokenize(text).length);
        await this.#journal.add(await askAll(engine, left, { name, sample }, this.#signal));
      }
      this.#done += group.length;
    }
  }

  private async compare(baseline: Engine, engine: Engine, group: readonly Setting[]) {
    const { passages, passageTokens, seed } = this.#comparison;
    const haystack = this.haystackFor(baseline);
    const { contextLength } = baseline.description;
    const isComparable = hasSameVocabulary(baseline, engine);
    for (let passage = 0; passage < passages; passage++) {
      for (const setting of group) {
        // What follows a drafter is not in the model's logits: it is judged by its answers.
        const hasLogits = isComparable && setting.draftContext === undefined;
        if (hasLogits && !this.#journal.hasDivergence(setting.name, passage)) {
          this.tell('next-token distributions', [setting]);
          const tokens = Math.min(passageTokens, Math.floor(contextLength * 0.9) - 64);
          const text = haystack.take(tokens, new Random(seed + 77 * passage)).join(' ');
          const ids = await passageIds(baseline, text);
          const one = { setting, engine };
          const record = await compareOn(ids, passage, baseline, one, this.#signal);
          await this.#journal.add([], [record]);
        }
        this.#done++;
      }
      baseline.clearCache();
      engine.clearCache();
    }
  }

  /** Cut into sentences once for each engine, whose tokenizer counts them. */
  private haystackFor(engine: Engine): Haystack {
    const { text, name } = this.#comparison.haystack;
    const known = this.#haystacks.get(engine) ?? new Haystack(engine, text, name);
    this.#haystacks.set(engine, known);
    return known;
  }

  private tell(what: string, settings: readonly Setting[]): void {
    const names = settings.map(({ name }) => name).join(', ');
    this.#onProgress({ done: this.#done, total: this.#total, what: `${what}: ${names}` });
  }
}

function hasSameVocabulary(a: Engine, b: Engine): boolean {
  const { vocabulary } = a.description;
  if (a === b || vocabulary !== b.description.vocabulary) return a === b;
  for (let id = 0; id < vocabulary; id++)
    if (a.detokenize([id]) !== b.detokenize([id])) return false;
  return true;
}

/** Ordinary text as the model is used to it: as a message of a user, if it has a chat template. */
async function passageIds(engine: Engine, text: string): Promise<number[]> {
  if (!engine.canChat) return engine.tokenize(text, { bos: true });
  return engine.tokenizeChat([{ role: 'user', content: text }]);
}

/** Settings that can share an engine stand together, the baseline's first. */
function groups(settings: readonly Setting[]): Setting[][] {
  const all = new Map<string, Setting[]>();
  for (const setting of settings) {
    const key = engineKey(setting);
    all.set(key, [...(all.get(key) ?? []), setting]);
  }
  return [...all.values()];
}
