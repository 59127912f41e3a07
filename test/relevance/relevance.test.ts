/** Ranking, splitting, shortening and attributing, by a scorer whose likelihoods are known. */
import type { ScoreInput, ScoreItem } from '../../lib/engine/scores.js';
import { Engine, attribute, compressPrompt, rank, splitText } from '../../lib/index.js';
import type { MeasuringScorer, Score } from '../../lib/index.js';
import { pack } from '../../lib/relevance/knapsack.js';
import { Random } from '../../lib/relevance/random.js';
import { blocksOf, sentencesOf } from '../../lib/relevance/sentences.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[a-z0-9]+/g) ?? [];

/** A word is a token. It is likely if it has been said before, by the times that it was. */
class Repeating implements MeasuringScorer {
  items: ScoreItem[] = [];
  description: { contextLength: number };

  constructor(contextLength = 4096) {
    this.description = { contextLength };
  }

  async score(input: ScoreInput): Promise<Score> {
    return (await this.scoreBatch([input]))[0]!;
  }

  scoreBatch(items: readonly (ScoreInput | ScoreItem)[]): Promise<Score[]> {
    this.items.push(...(items as ScoreItem[]));
    return Promise.resolve((items as ScoreItem[]).map((item) => this.one(item)));
  }

  tokenize(text: string): number[] {
    return wordsOf(text).map((_, i) => i);
  }

  private one({ text, prefix }: ScoreItem): Score {
    const said = wordsOf(String(prefix ?? ''));
    const own = wordsOf(text!);
    const logprobs = own.map((word: string) => (said.includes(word) ? -1 : -5));
    return {
      tokens: [],
      from: 0,
      logprobs,
      perplexity: 0,
      usage: { promptTokens: 0, cachedTokens: 0 },
    };
  }
}

describe('rank', () => {
  test('puts first what makes the query likeliest, and gives the gain per token', async () => {
    const passages = ['nothing here', 'the red button starts it', 'a button'];
    const ranked = await rank(new Repeating(), 'which button starts', passages);
    expect(ranked.map(({ index }) => index)).toEqual([1, 2, 0]);
    expect(ranked[0]!.gain).toBeCloseTo(8 / 3, 12);
    expect(ranked[2]!.gain).toBe(0);
    expect(await rank(new Repeating(), 'x', [])).toEqual([]);
  });

  test.each([
    [() => rank(new Repeating(), 7 as never, []), /query/],
    [() => rank(new Repeating(), 'x', ['a', 3 as never]), /passages\[1\]/],
    [() => rank(new Repeating(), 'x', 'abc' as never), /passages/],
    [() => rank(new Repeating(), 'x', [], { budget: 1 } as never), /budget/],
  ])('wrong values are refused (%#)', async (call, message) => {
    await expect(call()).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(call()).rejects.toThrow(message);
  });
});

describe('splitText', () => {
  const text =
    'New words here. New words here again and again new. Other things come. Other things come other. Last one.';

  test('ends a piece with a sentence that is easier than its neighbours', async () => {
    const pieces = await splitText(new Repeating(), text);
    expect(pieces.map((piece) => piece.trim())).toEqual([
      'New words here. New words here again and again new.',
      'Other things come. Other things come other.',
      'Last one.',
    ]);
    expect(pieces.join('')).toBe(text);
  });

  test('a threshold that nothing reaches leaves one piece', async () => {
    expect(await splitText(new Repeating(), text, { threshold: 50 })).toEqual([text]);
    expect(await splitText(new Repeating(), '')).toEqual([]);
  });

  test('the sentences of a long text are judged by at least half a window before them', async () => {
    const scorer = new Repeating();
    await splitText(scorer, 'A b c. '.repeat(40), { window: 30 });
    const lengths = scorer.items.map(({ prefix }) => wordsOf(String(prefix)).length / 3);
    expect(lengths.slice(0, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const n of lengths.slice(10)) expect(n).toBeGreaterThanOrEqual(4);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(9);
    const short = new Repeating(20);
    await splitText(short, 'A b c. '.repeat(40));
    for (const { prefix } of short.items) expect(wordsOf(String(prefix)).length).toBeLessThan(10);
  });

  test('texts without words are one piece, and white space belongs to what follows', async () => {
    for (const blank of ['\n', '   ', '...'])
      expect(await splitText(new Repeating(), blank)).toEqual([blank]);
    const scorer = new Repeating();
    await splitText(scorer, 'One. Two.\n\nThree.');
    expect(scorer.items.map(({ text }) => text)).toEqual(['One.', ' Two.', '\n\nThree.']);
    expect(scorer.items.map(({ prefix }) => prefix)).toEqual(['\n\n', 'One.', 'One. Two.']);
  });
});

describe('sentences and blocks', () => {
  test.each([
    ['One. Two!  Three?\nFour', ['One. ', 'Two!  ', 'Three?\n', 'Four']],
    ['Version 1.5 is out. "Good." He left', ['Version 1.5 is out. ', '"Good." ', 'He left']],
    ['a\n\n- b\n...\nc', ['a\n\n', '- b\n...\n', 'c']],
    ['', []],
  ])('%j', (text, sentences) => {
    expect(sentencesOf(text)).toEqual(sentences);
  });

  test.each(['One. Two', 'x.y.z\n\n\n', '...', '. .\n.a', 'ü。b！', '\n\nx'])(
    'the parts of %j are the whole',
    (text) => {
      expect(sentencesOf(text).join('')).toBe(text);
      expect(blocksOf(text).join('')).toBe(text);
    },
  );

  test('functions stay whole, though blank lines stand in them', () => {
    const code = 'import a\n\nfunction f() {\n  x();\n\n  y();\n}\n\nfunction g() {\n}\n';
    expect(blocksOf(code)).toEqual([
      'import a\n\n',
      'function f() {\n  x();\n\n  y();\n}\n\n',
      'function g() {\n}\n',
    ]);
  });
});

describe('compressPrompt', () => {
  const filler = (i: number) => `Paragraph ${i} tells of rain${i}. It tells of snow${i}. It ends.`;
  const paragraphs = Array.from({ length: 10 }, (_, i) => filler(i));
  paragraphs[6] = 'Some words. The capital of Ruritania is Strelsau. More words come.';
  const text = paragraphs.join('\n\n');
  const question = 'What is the capital of Ruritania?';

  test('keeps what the question needs, within the budget, in the order of the text', async () => {
    const short = await compressPrompt(new Repeating(), text, { question, budget: 20 });
    expect(short.text).toContain('The capital of Ruritania is Strelsau.');
    expect(short.tokens).toBeLessThanOrEqual(20);
    expect(wordsOf(short.text)).toHaveLength(short.tokens);
    expect(short.fullTokens).toBe(wordsOf(text).length);
    expect(short.blocks.map(({ index }) => index)).toContain(6);
    const places = short.text.split(/\n+/).map((line) => text.indexOf(line.split('. ')[0]!));
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  test('a text that fits stays as it is', async () => {
    const {
      text: kept,
      tokens,
      fullTokens,
    } = await compressPrompt(new Repeating(), text, {
      question,
      budget: 1000,
    });
    expect(kept).toBe(text);
    expect(tokens).toBe(fullTokens);
  });

  test('what stands between pieces takes room, too', async () => {
    const characters = new Repeating();
    characters.tokenize = (part) => [...part].map((_, i) => i);
    for (const budget of [60, 90, 140, 300, 600]) {
      const { tokens, text: short } = await compressPrompt(characters, text, { question, budget });
      expect(tokens).toBe(short.length);
      expect(tokens).toBeLessThanOrEqual(budget);
      expect(tokens).toBeGreaterThan(budget / 2);
      expect(short).not.toMatch(/\n{3}/);
    }
  });

  test('a knapsack is packed as well as any subset could be', () => {
    const random = new Random(5);
    for (let round = 0; round < 100; round++) {
      const items = Array.from({ length: 8 }, () => ({
        weight: random.below(12),
        value: random.below(20),
      }));
      const capacity = random.below(40);
      const worth = (chosen: readonly number[]) => ({
        weight: chosen.reduce((sum, i) => sum + items[i]!.weight, 0),
        value: chosen.reduce((sum, i) => sum + items[i]!.value, 0),
      });
      const subsets = Array.from({ length: 256 }, (_, bits) =>
        worth(items.flatMap((__, i) => ((bits >> i) & 1 ? [i] : []))),
      );
      const most = Math.max(...subsets.map((one) => (one.weight <= capacity ? one.value : 0)));
      const packed = worth(pack(items, capacity));
      expect(packed.weight).toBeLessThanOrEqual(capacity);
      expect(packed.value).toBe(most);
    }
  });

  test('a large knapsack is packed in larger units, and never over its weight', () => {
    const items = Array.from({ length: 50 }, (_, i) => ({ weight: 999 + i, value: 1 + (i % 7) }));
    const chosen = pack(items, 30_000);
    const weight = chosen.reduce((sum, i) => sum + items[i]!.weight, 0);
    expect(weight).toBeLessThanOrEqual(30_000);
    expect(weight).toBeGreaterThan(27_000);
  });

  test('a block that the model could not read is cut, and what fits nowhere leaves nothing', async () => {
    const long = `${'Some words that say nothing. '.repeat(60)}The capital of Ruritania is Strelsau.`;
    const scorer = new Repeating(100);
    const { text: short } = await compressPrompt(scorer, long, { question, budget: 20 });
    expect(short).toContain('Strelsau');
    for (const { prefix } of scorer.items)
      expect(wordsOf(String(prefix)).length).toBeLessThanOrEqual(50);
    expect((await compressPrompt(scorer, long, { question, budget: 2 })).text).toBe('');
  });

  test.each([
    [{ question: 'x' }, /budget/],
    [{ budget: 3 }, /question/],
    [{ question: 'x', budget: 0 }, /budget/],
    [{ question: 'x', budget: 3, keep: 1 }, /keep/],
  ])('%j is refused', async (options, message) => {
    await expect(compressPrompt(new Repeating(), text, options as never)).rejects.toThrow(message);
  });
});

describe('attribute', () => {
  const passages = (n: number) => Array.from({ length: n }, (_, i) => `Passage ${i} on rain${i}.`);

  test.each([1, 3, 7, 40, 111])('finds the cause among %i passages', async (n) => {
    const given = passages(n);
    const cause = Math.floor(n / 2);
    given[cause] = 'Strelsau is the capital.';
    const scorer = new Repeating();
    const found = await attribute(scorer, given, 'Strelsau capital', { top: 3 });
    expect(found[0]).toEqual({ index: cause, contribution: 8 });
    expect(found.length).toBeLessThanOrEqual(3);
    expect(new Set(found.map(({ index }) => index)).size).toBe(found.length);
    if (n > 3) expect(found[1]!.contribution).toBe(0);
    // Nothing is measured twice.
    const asked = scorer.items.map(({ prefix }) => prefix);
    expect(new Set(asked).size).toBe(asked.length);
  });

  test('every passage arrives first and last at times, so that equal causes tie', async () => {
    for (const n of [2, 5, 10]) {
      const given = passages(n);
      given[0] = given[n - 1] = 'Strelsau is the capital.';
      const found = await attribute(new Repeating(), given, 'Strelsau capital', { orders: 50 });
      const of = (index: number) => found.find((one) => one.index === index)?.contribution;
      expect([of(0), of(n - 1)]).toEqual([8, 8]);
    }
  });

  test('no more causes than were asked for', async () => {
    const found = await attribute(new Repeating(), passages(9), 'x', { top: 4 });
    expect(found).toHaveLength(4);
  });

  test('the question stands between the passages and the answer', async () => {
    const scorer = new Repeating();
    await attribute(scorer, passages(2), 'x', { question: 'Where?' });
    expect(scorer.items.every(({ prefix }) => String(prefix).endsWith('Where?\n\n'))).toBe(true);
  });

  test('no passages, no causes', async () => {
    expect(await attribute(new Repeating(), [], 'x')).toEqual([]);
  });
});

test('an engine is a scorer: passages are computed once, and errors reach the caller', async () => {
  await using engine = await Engine.load((await writeTinyModel()).path);
  const passages = ['the inn '.repeat(30), 'the road '.repeat(30)];
  const ranked = await rank(engine, 'the inn', passages);
  expect(ranked).toHaveLength(2);
  const { rows } = engine.stats();
  expect(await rank(engine, 'the road', passages)).toHaveLength(2);
  expect(engine.stats().rows - rows).toBeLessThan(60);
  const signal = AbortSignal.abort();
  await expect(rank(engine, 'x', passages, { signal })).rejects.toMatchObject({ code: 'aborted' });
  await expect(splitText(engine, 'the inn. the road.')).resolves.not.toHaveLength(0);
});
