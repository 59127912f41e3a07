/** What a real model makes of it: of ten paragraphs one holds the fact that is asked for. */
import { Engine, attribute, compressPrompt, rank } from '../../lib/index.js';
import { Random } from '../../lib/relevance/random.js';
import { madeUpText } from '../../lib/quality/text/made-up.js';
import { sharedModels } from '../real-models.js';

const { tinyllama } = sharedModels;
const about = tinyllama === undefined ? 'skipped: tinyllama-1.1b-chat is not here' : 'TinyLlama';
const testIf = tinyllama === undefined ? test.skip : test;

const PEOPLE = ['Anna', 'Boris', 'Clara', 'David'];
const TOWNS = ['Madrid', 'Rome', 'Vienna', 'Prague'];

testIf(
  `${about}: the fact is found, kept in a fourth of the text, and named as the cause`,
  async () => {
    await using engine = await Engine.load(tinyllama!);
    const random = new Random(19);
    for (const [i, who] of PEOPLE.entries()) {
      const paragraphs = Array.from({ length: 10 }, (_, at) => madeUpText(6, 100 * i + at));
      const at = random.below(10);
      const fact = `${who} works as a baker in ${TOWNS[i]!}.`;
      const sentences = paragraphs[at]!.split(/(?<=\.) /);
      paragraphs[at] = [...sentences.slice(0, 3), fact, ...sentences.slice(3)].join(' ');
      const question = `In which town does ${who} work?`;
      expect((await rank(engine, question, paragraphs))[0]!.index).toBe(at);
      const text = paragraphs.join('\n\n');
      const short = await compressPrompt(engine, text, { question, budget: 150 });
      expect(short.text).toContain(fact);
      expect(short.fullTokens / short.tokens).toBeGreaterThan(4);
      if (i > 0) continue;
      const options = { question, orders: 2, top: 3 };
      const [cause] = await attribute(
        engine,
        paragraphs,
        ` ${who} works in ${TOWNS[i]!}.`,
        options,
      );
      expect(cause!.index).toBe(at);
    }
  },
  900_000,
);
