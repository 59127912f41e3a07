/** Runs a comparison: loads the engines, asks all questions, and keeps what has been measured. */
import { Engine } from '../engine.js';
import { CachalotError } from '../errors.js';
import { askAll } from './answers.js';
import { compareOn } from './divergence.js';
import type { Journal } from './journal.js';
import { Random } from './random.js';
import { BASELINE, engineKey } from './settings.js';
import type { Setting } from './settings.js';
import type { Task } from './tasks/task.js';
import { Haystack } from './text/haystack.js';

export interface Comparison {
  model: string;
  /** Of the baseline; settings change single options of it. */
  load: Setting['load'];
  settings: readonly Setting[];
  tasks: readonly Task[];
  /** Tokens of the contexts; undefined: by the model's context. */
  lengths: readonly number[] | undefined;
  /** Contexts of each task and length. */
  samples: number;
  /** Questions about each context. */
  questions: number;
  /** Pieces of ordinary text on which distributions are compared. */
  passages: number;
  passageTokens: number;
  seed: number;
  haystack: { name: string; text: string };
}

export interface Progress {
  done: number;
  total: number;
  what: string;
}

/** Contexts longer than this are asked for by name. */
const LONGEST_BY_DEFAULT = 4096;
const LENGTH_SHARES = [0.25, 0.6, 0.9];
/** Tokens that a question and its answer take, and those around them. */
const QUESTION_TOKENS = 90;
const AROUND_TOKENS = 120;

/** The lengths that a comparison uses. Throws invalid_argument if one does not fit into the model's context. */
export function lengthsOf(comparison: Comparison, contextLength: number): number[] {
  const { lengths, questions } = comparison;
  const room = contextLength - AROUND_TOKENS - questions * QUESTION_TOKENS;
  const longest = Math.min(room, LONGEST_BY_DEFAULT);
  const chosen = lengths ?? LENGTH_SHARES.map((share) => Math.floor(longest * share));
  const wrong = chosen.find((length) => length > room || length < 1);
  if (wrong !== undefined)
    throw new CachalotError(
      'invalid_argument',
      `a context of ${wrong} tokens and ${questions} questions do not fit into ${contextLength} tokens; at most ${Math.max(0, room)} do`,
    );
  return [...new Set(chosen)];
}

type Named = Pick<Comparison, 'model' | 'load'>;

export class QualityRun {
  readonly #comparison: Comparison;
  readonly #journal: Journal;
  readonly #signal: AbortSignal;
  readonly #onProgress: (progress: Progress) => void;
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
    const { settings, tasks, samples, passages } = this.#comparison;
    const baseline = await this.load(this.#comparison);
    try {
      const { description } = baseline;
      const lengths = lengthsOf(this.#comparison, description.contextLength);
      const all: Setting[] = [{ name: BASELINE, load: {} }, ...settings];
      this.#total = all.length * (tasks.length * lengths.length * samples + passages);
      for (const group of groups(all)) {
        const isBaseline = engineKey(group[0]!) === engineKey(all[0]!);
        const engine = isBaseline ? baseline : await this.load(this.named(group[0]!));
        try {
          await this.compare(baseline, engine, group);
          await this.ask(engine, group, lengths);
        } finally {
          if (engine !== baseline) await engine.dispose();
        }
      }
      return { lengths, description };
    } finally {
      await this.#journal.close();
      await baseline.dispose();
    }
  }

  private named({ model, load }: Setting): Named {
    return { model: model ?? this.#comparison.model, load: { ...this.#comparison.load, ...load } };
  }

  private load({ model, load }: Named): Promise<Engine> {
    return Engine.load(model, { ...load, signal: this.#signal });
  }

  private async ask(engine: Engine, group: readonly Setting[], lengths: readonly number[]) {
    const { tasks, samples, questions, seed } = this.#comparison;
    const haystack = this.haystackFor(engine);
    const count = (text: string) => engine.tokenize(text).length;
    for (const [number, task] of tasks.entries())
      for (const length of lengths)
        for (let index = 0; index < samples; index++) {
          const name = { task: task.name, length, sample: index };
          const left = group.filter((setting) => !this.#journal.hasAnswers(setting.name, name));
          if (left.length > 0) {
            this.tell(`${task.name}, ${length} tokens`, left);
            // A sample is the same for every setting.
            const random = new Random(seed + 1009 * number + 9176 * index + 31 * length);
            const making = { tokens: length, index, questions, random, haystack, count };
            const sample = task.make(making);
            await this.#journal.add(await askAll(engine, left, { name, sample }, this.#signal));
          }
          this.#done += group.length;
        }
  }

  private async compare(baseline: Engine, engine: Engine, group: readonly Setting[]) {
    const { passages, passageTokens, seed } = this.#comparison;
    const haystack = this.haystackFor(baseline);
    const { contextLength, vocabulary } = baseline.description;
    const hasSameVocabulary = engine.description.vocabulary === vocabulary;
    for (let passage = 0; passage < passages; passage++) {
      for (const setting of group) {
        if (hasSameVocabulary && !this.#journal.hasDivergence(setting.name, passage)) {
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

  private haystackFor(engine: Engine): Haystack {
    const { text, name } = this.#comparison.haystack;
    return new Haystack(engine, text, name);
  }

  private tell(what: string, settings: readonly Setting[]): void {
    const names = settings.map(({ name }) => name).join(', ');
    this.#onProgress({ done: this.#done, total: this.#total, what: `${what}: ${names}` });
  }
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
