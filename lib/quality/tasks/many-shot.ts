/** Classification by many examples whose labels mean nothing, so that they must be learned from the context (SCBench's many-shot). */
import { lines } from './task.js';
import type { Making, Sample, Task } from './task.js';

const KINDS = {
  animal: 'dog horse rabbit whale lion mouse goose wolf bear sheep goat fox',
  food: 'bread cheese soup rice butter honey pasta salad cake bacon beans pie',
  clothes: 'shirt hat coat glove shoe scarf dress belt sock vest skirt boot',
  tool: 'saw drill shovel rake axe pliers wrench chisel file spade screwdriver ladder',
};
const LABELS = 'blick dax wug toma fep zorp gazzer lorp'.split(' ');

export const manyShot: Task = {
  name: 'many-shot',
  about: 'the made-up label of a new word, after many labelled examples',
  make({ tokens, questions, random, count }: Making): Sample {
    const labels = random.some(LABELS, Object.keys(KINDS).length);
    const kinds = Object.values(KINDS).map((members, i) => {
      const [asked, ...shown] = random.shuffled(members.split(' '));
      return { label: labels[i]!, asked: asked!, shown };
    });
    const shots = lines({ tokens, count }, 2 * kinds.length, (i) => {
      const { label, shown } = kinds[i % kinds.length]!;
      return `${random.pick(shown)} -> ${label}`;
    });
    return {
      context: random.shuffled(shots).join('\n'),
      questions: random.some(kinds, Math.min(questions, kinds.length)).map(({ label, asked }) => ({
        text: `Which label belongs to "${asked}"?`,
        answers: [label],
        lead: `${asked} ->`,
        gold: label,
        maxTokens: 6,
      })),
    };
  },
};
