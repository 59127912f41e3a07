/** Runs a comparison: loads the engines, asks all questions, and keeps what has been measured. */
import { Engine } from '../engine.js';
import { CachalotError } from '../errors.js';
import { askAll } from './answers.js';
import type { SampleName } from './answers.js';
import { compareOn } from './divergence.js';
import type { Journal } from './journal.js';
import { Random } from '../relevance/random.js';
import { BASELINE, engineKey } from './settings.js';
import type { Setting } from './settings.js';
import type { PublishedSample } from './tasks/published.js';
import type { Sample, Task } from './tasks/task.js';
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
  /** Asked in place of the tasks. */
  published?: readonly PublishedSample[];
}

export interface Progress {
  done: number;
  total: number;
  what: string;
}

/** Contexts longer than this are asked for by name. */
const LONGEST_BY_DEFAULT = 4096;
const LENGTH_SHARES = [0.3, 0.9];
/** Tokens that a question and its answer take, and those around them. */
const QUESTION_TOKENS = 90;
const AROUND_TOKENS = 120;

/** The lengths that a comparison uses. Throws invalid_argument if one does not fit into the model's context. */
export function lengthsOf(comparison: Comparison, contextLength: number): number[] {
  const { lengths, questions, published } = comparison;
  if (published) return [];
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
    for (const { name, make } of samplesOf(this.#comparison, lengths)) {
      const left = group.filter((setting) => !this.#journal.hasAnswers(setting.name, name));
      if (left.length > 0) {
        this.tell(`${name.task}, ${name.length} tokens`, left);
        const sample = make(this.haystackFor(engine), (text) => engine.tokenize(text).length);
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

interface Source {
  name: SampleName;
  make: (haystack: Haystack, count: (text: string) => number) => Sample;
}

/** Every context with its questions. It is the same for every setting. */
function samplesOf(comparison: Comparison, lengths: readonly number[]): Source[] {
  const { tasks, samples, questions, seed, published } = comparison;
  if (published)
    return published.map(({ task, length, sample }, index) => ({
      name: { task, length, sample: index },
      make: () => sample,
    }));
  const indices = Array.from({ length: samples }, (_, index) => index);
  return tasks.flatMap((task, number) =>
    lengths.flatMap((length) =>
      indices.map((index) => ({
        name: { task: task.name, length, sample: index },
        make: (haystack, count) => {
          const random = new Random(seed + 1009 * number + 9176 * index + 31 * length);
          return task.make({ tokens: length, index, questions, random, haystack, count });
        },
      })),
    ),
  );
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
