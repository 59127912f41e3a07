/** Chains of assignments among other text; the answer is every variable of one chain (RULER's variable tracking, arXiv 2404.06654). */
import { hidden } from './task.js';
import type { Making, Sample, Task } from './task.js';

const HOPS = 2;
const LETTERS = 'ABCDEFGHKLMNPQRSTUVWXYZ';

export const variables: Task = {
  name: 'variables',
  about: 'all variables that a chain of assignments gives one value',
  make({ tokens, questions, random, haystack, count }: Making): Sample {
    const names = new Set<string>();
    while (names.size < questions * (HOPS + 1))
      names.add(Array.from({ length: 3 }, () => random.pick([...LETTERS])).join(''));
    const free = [...names];
    const chains = Array.from({ length: questions }, () => ({
      value: String(10_000 + random.below(90_000)),
      names: free.splice(0, HOPS + 1),
    }));
    const facts = chains.flatMap(({ value, names: own }) => {
      const depths = own.map(() => random.below(100) / 100).sort((a, b) => a - b);
      return own.map((name, i) => ({
        text: `VAR ${name} = ${i === 0 ? value : `VAR ${own[i - 1]!}`}.`,
        depth: depths[i]!,
      }));
    });
    const room = tokens - facts.reduce((sum, { text }) => sum + count(` ${text}`), 0);
    return {
      context: hidden(haystack.take(Math.max(1, room), random), facts),
      questions: chains.map(({ value, names: own }) => ({
        text: `Which variables have the value ${value}, directly or through others?`,
        answers: own,
        lead: `The variables that have the value ${value} are VAR`,
        gold: `${own.join(', VAR ')}.`,
        maxTokens: 24,
      })),
    };
  },
};
