/** A long list of keys and values, which have no meaning (key-value retrieval of Liu et al., arXiv 2307.03172; SCBench's kv). */
import { lines } from './task.js';
import type { Making, Sample, Task } from './task.js';

const LETTERS = 'abcdefghijkmnpqrstuvwxyz';
const DIGITS = '23456789';

export const lookup: Task = {
  name: 'lookup',
  about: 'the value of a key among many, without any meaning',
  make({ tokens, index, questions, random, count }: Making): Sample {
    const word = (signs: string, n: number) =>
      Array.from({ length: n }, () => random.pick([...signs])).join('');
    const known = new Map<string, string>();
    const texts = lines({ tokens, count }, questions + 1, () => {
      let key = word(LETTERS, 4);
      while (known.has(key)) key = word(LETTERS, 4);
      known.set(key, word(DIGITS, 4));
      return `${key}: ${known.get(key)!}`;
    });
    // The last line that was tried has no room.
    const keys = [...known.keys()].slice(0, texts.length);
    return {
      context: texts.join('\n'),
      questions: Array.from({ length: questions }, (_, i) => {
        const part = Math.floor((keys.length * (((i + index) % questions) + 0.5)) / questions);
        const key = keys[part]!;
        return {
          text: `What is the value of the key ${key}?`,
          answers: [known.get(key)!],
          lead: `${key}:`,
          gold: known.get(key)!,
          maxTokens: 8,
          depth: part / keys.length,
        };
      }),
    };
  },
};
