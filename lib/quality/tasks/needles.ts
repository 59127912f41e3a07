/** Several facts of one kind in a long text, all of which one answer must hold (RULER's multi-value needles, arXiv 2404.06654). */
import { PEOPLE, THINGS } from './needle.js';
import { hidden } from './task.js';
import type { Making, Sample, Task } from './task.js';

const FACTS = 3;

export const needles: Task = {
  name: 'needles',
  about: 'three facts in a long text, all of which the answer must hold',
  make({ tokens, questions, random, haystack, count }: Making): Sample {
    const things = random.some(THINGS, questions * FACTS);
    const people = random.some(PEOPLE, questions);
    const facts = things.map((what, i) => ({
      who: people[i % questions]!,
      what,
      text: `${people[i % questions]!} has bought the ${what}.`,
      depth: random.below(100) / 100,
    }));
    const room = tokens - facts.reduce((sum, { text }) => sum + count(` ${text}`), 0);
    return {
      context: hidden(haystack.take(Math.max(1, room), random), facts),
      questions: people.map((who) => {
        const own = facts.filter((fact) => fact.who === who).map(({ what }) => what);
        return {
          text: `Which ${FACTS} things has ${who} bought?`,
          answers: own,
          lead: `The ${FACTS} things that ${who} has bought are the`,
          gold: `${own.join(', the ')}.`,
          maxTokens: 24,
        };
      }),
    };
  },
};
