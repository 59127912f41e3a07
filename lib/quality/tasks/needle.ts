/**
 * One fact in a long text (needle in a haystack, Kamradt 2023), with other facts of the same form as distractors, so that a model
 * has to find the right one and not just the odd one. Facts are words, not only digits.
 */
import { hidden } from './task.js';
import type { Making, Sample, Task } from './task.js';

/** Names that are one fact each, and common things that they can have. */
export const PEOPLE =
  'Anna Boris Clara David Elena Frank Greta Henry Irene James Karen Lucas Maria Nina Oscar Paula Robert Sarah Thomas Victor'.split(
    ' ',
  );
export const THINGS =
  'apple boat candle drum eagle feather guitar hammer island jacket kettle lemon mirror needle orange piano ring saddle tiger umbrella violin wagon basket clock dragon'.split(
    ' ',
  );
/** Of the context; the answers of a sample's questions lie at different ones. */
const DEPTHS = [0.1, 0.5, 0.9, 0.3, 0.7];
const DISTRACTORS = 2;

export const needle: Task = {
  name: 'needle',
  about: 'one fact in a long text, beside others like it',
  make({ tokens, index, questions, random, haystack, count }: Making): Sample {
    const n = questions + DISTRACTORS;
    const things = random.some(THINGS, n);
    const facts = random.some(PEOPLE, n).map((who, i) => ({
      who,
      what: things[i]!,
      text: `The secret gift for ${who} is the ${things[i]!}.`,
      depth: DEPTHS[(index + i) % DEPTHS.length]!,
    }));
    const room = tokens - facts.reduce((sum, { text }) => sum + count(` ${text}`), 0);
    return {
      context: hidden(haystack.take(Math.max(1, room), random), facts),
      questions: facts.slice(0, questions).map(({ who, what, depth }) => ({
        text: `What is the secret gift for ${who}?`,
        answers: [what],
        lead: `The secret gift for ${who} is the`,
        gold: `${what}.`,
        maxTokens: 8,
        depth,
      })),
    };
  },
};
