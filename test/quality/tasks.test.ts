/** Tasks with right answers: what a seed makes, and what is in it. */
import { found } from '../../lib/quality/metrics.js';
import { Random } from '../../lib/relevance/random.js';
import { TASKS } from '../../lib/quality/tasks/all.js';
import type { Sample, Task } from '../../lib/quality/tasks/task.js';
import { Haystack } from '../../lib/quality/text/haystack.js';
import { madeUpText } from '../../lib/quality/text/made-up.js';

/** A token is a word here. */
const counter = {
  tokenize: (text: string) =>
    text
      .trim()
      .split(/\s+/)
      .map((_, i) => i),
};
const count = (text: string) => counter.tokenize(text).length;
const haystack = new Haystack(counter, madeUpText(500, 1), 'made up');

const make = (task: Task, seed: number, tokens = 600, index = 0): Sample =>
  task.make({ tokens, index, questions: 3, random: new Random(seed), haystack, count });

describe.each(TASKS.map((task) => [task.name, task] as const))('%s', (_name, task) => {
  test('a seed makes the same sample again, and another seed another one', () => {
    expect(make(task, 5)).toEqual(make(task, 5));
    expect(make(task, 5)).not.toEqual(make(task, 6));
  });

  test.each([200, 600, 3000])(
    'a context of %i tokens, with three different questions',
    (tokens) => {
      const { context, questions } = make(task, 7, tokens);
      expect(count(context)).toBeLessThanOrEqual(tokens * 1.1);
      expect(count(context)).toBeGreaterThanOrEqual(tokens * 0.7);
      expect(new Set(questions.map(({ text }) => text)).size).toBe(3);
    },
  );

  test('the right answer is right, and the context without it is not', () => {
    for (const seed of [1, 2, 3]) {
      const { context, questions } = make(task, seed);
      for (const { answers, gold, lead, text } of questions) {
        expect(found(`${lead} ${gold}`, answers)).toBe(answers.length);
        expect(found(text, answers)).toBe(0);
        expect(found(context, answers)).toBe(answers.length);
        expect(found('nothing', answers)).toBe(0);
      }
    }
  });
});

test('needles lie where their depth says', () => {
  const needle = TASKS.find(({ name }) => name === 'needle')!;
  for (let index = 0; index < 5; index++) {
    const { context, questions } = make(needle, 11, 2000, index);
    for (const { lead, depth } of questions) {
      const at = context.indexOf(lead) / context.length;
      expect(Math.abs(at - depth!)).toBeLessThan(0.05);
    }
  }
});

test('the most frequent word of each list is the answer', () => {
  const words = TASKS.find(({ name }) => name === 'words')!;
  const { context, questions } = make(words, 3);
  for (const [i, { answers }] of questions.entries()) {
    const list = new RegExp(`List ${i + 1}: ([^.]*)\\.`).exec(context)![1]!.split(', ');
    const times = (word: string) => list.filter((one) => one === word).length;
    const most = [...new Set(list)].sort((a, b) => times(b) - times(a))[0];
    expect(most).toBe(answers[0]);
  }
});

describe('the haystack', () => {
  test('is cut at sentences, and long ones between words', () => {
    const text = `One two three. Four!  Five? "Six." Word ${'word '.repeat(200)}`;
    const all = new Haystack(counter, text, 'x').take(1000, new Random(1));
    expect(all).toEqual(expect.arrayContaining(['One two three.', 'Four!', 'Five?', '"Six."']));
    expect(Math.max(...all.map(({ length }) => length))).toBeLessThanOrEqual(400);
  });

  test('a text without full stops is cut, however long it is', () => {
    const all = new Haystack(counter, 'word '.repeat(400_000), 'x').take(5000, new Random(1));
    expect(Math.max(...all.map(({ length }) => length))).toBeLessThanOrEqual(400);
  });

  test('a short text goes round, and one without words is refused', () => {
    expect(new Haystack(counter, 'A b c.', 'x').take(30, new Random(1))).toHaveLength(10);
    expect(() => new Haystack(counter, ' ... \n', 'x')).toThrow(/no words/);
  });
});
