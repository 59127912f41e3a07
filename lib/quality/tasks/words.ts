/** The most frequent words of a long list (RULER's common words, arXiv 2404.06654): the answer needs all of the context at once. */
import { lines } from './task.js';
import type { Making, Sample, Task } from './task.js';
import { THINGS } from './needle.js';

/** A frequent word comes as often as this many others together. */
const SHARE = 3;

export const words: Task = {
  name: 'words',
  about: 'which word is the most frequent in each of several lists',
  make({ tokens, questions, random, count }: Making): Sample {
    const lists = Array.from({ length: questions }, (_, i) => {
      const [frequent, ...others] = random.shuffled(THINGS);
      const items = lines({ tokens: tokens / questions, count }, 8, (at) =>
        at % SHARE === 0 ? frequent! : random.pick(others),
      );
      return { number: i + 1, frequent: frequent!, items: random.shuffled(items) };
    });
    return {
      context: lists.map(({ number, items }) => `List ${number}: ${items.join(', ')}.`).join('\n'),
      questions: lists.map(({ number, frequent }) => ({
        text: `Which word comes most often in list ${number}?`,
        lead: `The word that comes most often in list ${number} is`,
        answers: [frequent],
        gold: `${frequent}.`,
        maxTokens: 6,
      })),
    };
  },
};
