/** What is asked: questions of spec-bench's kind, second turns, edits, and answers of a fixed shape. */
import { readFileSync } from 'node:fs';

import { CachalotError } from '#lib/errors.js';
import type { Message } from '#lib/index.js';

/** A conversation, or a text to continue. */
export type Asked = Message[] | string;

export interface Workload {
  name: string;
  asked: Asked[];
}

interface Question {
  category: string;
  turns: string[];
}

/** The categories of MT-bench, which have second turns. */
const CHAT = [
  'writing',
  'roleplay',
  'reasoning',
  'math',
  'coding',
  'extraction',
  'stem',
  'humanities',
];

const user = (content: string): Message[] => [{ role: 'user', content }];

/** A file of JSON lines as spec-bench has them: `category` and `turns`. The first n of each category, shortened to so many characters. */
export function specBench(path: string, n: number, longest: number): Workload[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  const questions = lines.map((line) => JSON.parse(line) as Question);
  const byName = new Map<string, Workload>();
  const add = (name: string, messages: Message[]) => {
    const workload = byName.get(name) ?? { name, asked: [] };
    byName.set(name, workload);
    if (workload.asked.length < n) workload.asked.push(messages);
  };
  for (const { category, turns } of questions) {
    const [first, second] = turns;
    if (first === undefined) throw new CachalotError('invalid_argument', `${path} has no turns`);
    add(category, user(first.slice(0, longest)));
    // As an answer to the first turn, the beginning of the question serves: the second one asks to change it.
    if (second !== undefined && CHAT.includes(category))
      add('second turns', [
        ...user(first.slice(0, longest)),
        { role: 'assistant', content: ANSWER },
        ...user(second),
      ]);
  }
  return [...byName.values()];
}

const ANSWER =
  'The old harbour lies at the end of a long road between two hills. Every morning the boats go out before the sun is up, and in the evening they come back with what the sea has given them. The people there know each other by name.';

const CODE = `function total(orders) {
  let sum = 0;
  for (const order of orders) {
    if (order.isPaid) sum += order.price * order.count;
  }
  return sum;
}

function report(orders) {
  const paid = orders.filter((order) => order.isPaid);
  const open = orders.filter((order) => !order.isPaid);
  return { paid: paid.length, open: open.length, total: total(orders) };
}
`;
const LETTER = `Dear Mrs Holm, thank you for your letter of the third of May. We have looked at the roof of the boat house, and we can begin with the work in the second week of June. It will take about ten days. Please let us know whether the water can be turned off during that time. With kind regards, Anna Berg`;

/** The same text again with one change, as a model without much training does it: after an example. */
const EDITS: { text: string; change: (text: string) => string; said: string }[] = [
  {
    text: CODE,
    said: 'the function total is called totalPaid',
    change: (text) => text.replaceAll('total(', 'totalPaid('),
  },
  {
    text: CODE,
    said: 'isPaid is called paid',
    change: (text) => text.replaceAll('isPaid', 'paid'),
  },
  { text: LETTER, said: 'June is July', change: (text) => text.replace('June', 'July') },
  { text: LETTER, said: 'ten days are twelve', change: (text) => text.replace('ten', 'twelve') },
];

/** The example shows the changed text once; the answer begins with its first words. */
export const edits = (): Workload => ({
  name: 'edit',
  asked: EDITS.map(({ text, said, change }) => {
    const after = change(text);
    return `Before:\n${text}\nAfter, where ${said}:\n${after}\nOnce more. Before:\n${text}\nAfter, where ${said}:\n${after.slice(0, 12)}`;
  }),
});

export const copies = (): Workload => ({
  name: 'copy',
  asked: [CODE, LETTER, ANSWER].map(
    (text) => `${text}\n\nThe same again:\n\n${text}\n\nThe same again:\n\n${text.slice(0, 12)}`,
  ),
});

/** The same, said to a model that only answers. */
export const repeats = (): Workload => ({
  name: 'repeat',
  asked: [CODE, LETTER, ANSWER].flatMap((text) => [
    user(`Repeat this text word for word:\n\n${text}`),
    user(`${text}\n\nWrite the text above again.`),
  ]),
});

export const shapes = (): Workload => ({
  name: 'json',
  asked: ['cities', 'rivers', 'metals', 'planets'].map((what) =>
    user(
      `List ten ${what} as a JSON array. Each item has the form {"name": "...", "kind": "${what}", "size": {"value": 0, "unit": "km"}}. Answer with JSON only.`,
    ),
  ),
});
