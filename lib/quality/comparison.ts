/** What is compared, on which contexts. */
import { CachalotError } from '../errors.js';
import { Random } from '../relevance/random.js';
import type { SampleName } from './answers.js';
import type { Setting } from './settings.js';
import type { PublishedSample } from './tasks/published.js';
import type { Sample, Task } from './tasks/task.js';
import type { Haystack } from './text/haystack.js';

export interface Comparison {
  model: string;
  /** Of the baseline; settings change single options of it. */
  load: Setting['load'];
  settings: readonly Setting[];
  tasks: readonly Task[];
  /** Tokens of the contexts; undefined: by the model's context, at most `longest`. */
  lengths: readonly number[] | undefined;
  /** One length of at most so many tokens, instead of several. */
  longest?: number | undefined;
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

/** Contexts longer than this are asked for by name. */
const LONGEST_BY_DEFAULT = 4096;
const LENGTH_SHARES = [0.3, 0.9];
/** Tokens that a question and its answer take, and those around them. */
const QUESTION_TOKENS = 90;
const AROUND_TOKENS = 120;
/** Of a context, for each question: its facts, and some text to hide them in. */
const LEAST_PER_QUESTION = 50;

/** The lengths that a comparison uses. Throws invalid_argument if one does not fit into the model's context. */
export function lengthsOf(comparison: Comparison, contextLength: number): number[] {
  const { lengths, longest: limit, questions, published } = comparison;
  if (published) return [];
  const room = contextLength - AROUND_TOKENS - questions * QUESTION_TOKENS;
  const longest = Math.min(room, limit ?? LONGEST_BY_DEFAULT);
  const shares = limit === undefined ? LENGTH_SHARES : [1];
  const chosen = lengths ?? shares.map((share) => Math.floor(longest * share));
  const least = LEAST_PER_QUESTION * questions;
  const wrong = chosen.find((length) => length > room || room < least);
  if (wrong !== undefined)
    throw new CachalotError(
      'invalid_argument',
      room < least
        ? `a context length of ${contextLength} tokens has no room for ${questions} questions and a text to ask about; take fewer questions or another model`
        : `a context of ${wrong} tokens and ${questions} questions do not fit into ${contextLength} tokens; at most ${room} do`,
    );
  return [...new Set(chosen)];
}

export interface Source {
  name: SampleName;
  make: (haystack: Haystack, count: (text: string) => number) => Sample;
}

/** Every context with its questions. It is the same for every setting. */
export function samplesOf(comparison: Comparison, lengths: readonly number[]): Source[] {
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
