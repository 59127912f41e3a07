/** A task: questions with right answers about a context that a seed makes. */
import type { Random } from '../../relevance/random.js';
import type { Haystack } from '../text/haystack.js';

export interface Question {
  text: string;
  /** Words that a right answer holds. Each counts for itself. */
  answers: string[];
  /** The beginning of the answer, which the model is given, as RULER does it: then it cannot miss what the question is about. */
  lead: string;
  /** The end of the right answer, for the history of a conversation. */
  gold: string;
  maxTokens: number;
  /** From 0 to 1, in place of counting the answers that the text holds. */
  judge?: (text: string) => number;
  /** Where in the context the answer lies, from 0 to 1, if it lies in one place. */
  depth?: number;
}

/** A context, and questions about it: asked one by one, or as turns of one conversation. */
export interface Sample {
  /** '': the questions hold all that is to be said. */
  context: string;
  questions: Question[];
}

export interface Making {
  /** About how many tokens the context shall have. */
  tokens: number;
  /** Number of the sample, from 0. Depths and the like go round by it. */
  index: number;
  questions: number;
  random: Random;
  haystack: Haystack;
  /** How many tokens a text has. */
  count: (text: string) => number;
}

export interface Task {
  name: string;
  /** What it measures, for the report. */
  about: string;
  make(making: Making): Sample;
}

/** Puts texts between sentences, at depths from 0 to 1. */
export function hidden(
  sentences: readonly string[],
  facts: readonly { text: string; depth: number }[],
): string {
  const places = facts
    .map(({ text, depth }) => ({ text, at: Math.round(depth * sentences.length) }))
    .sort((a, b) => b.at - a.at);
  const all = [...sentences];
  for (const { text, at } of places) all.splice(at, 0, text);
  return all.join(' ');
}

/** Lines until so many tokens are reached, at least `least`. */
export function lines(
  { tokens, count }: Pick<Making, 'tokens' | 'count'>,
  least: number,
  line: (index: number) => string,
): string[] {
  const made: string[] = [];
  for (let sum = 0, i = 0; ; i++) {
    const text = line(i);
    sum += count(`${text}\n`);
    if (i >= least && sum > tokens) return made;
    made.push(text);
  }
}
