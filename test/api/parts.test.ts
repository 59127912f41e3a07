/** Contexts that stand together, and revised ones. */
import type { BatchResult, Context, GenerationResult } from '../../lib/index.js';
import { Engine } from '../../lib/index.js';
import { Random } from '../random.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

const random = new Random(2123);
const WORDS = ['the', 'and', 'inn', 'tin', 'net', 'hat', 'she', 'her'];
const wordsOf = (n: number) =>
  Array.from({ length: n }, () => WORDS[random.below(WORDS.length)]!).join(' ');

const bits = ({ tokens, logprob, logprobs }: GenerationResult) => [tokens, logprob, logprobs];
const bitsOfItem = (item: BatchResult) => {
  if (item.error) throw item.error;
  return bits(item);
};
const few = { maxTokens: 4, topLogprobs: 3 };

let path: string;
let engine: Engine;
beforeAll(async () => void ({ path } = await writeTinyModel({ shape: { context: 2048 } })));
beforeEach(async () => void (engine = await Engine.load(path, { checkInvariants: true })));
afterEach(() => engine.dispose());

const ask = (context: Context | readonly Context[], more = {}) =>
  engine.complete(' the', { context, ...few, ...more }).result;
const codeOf = (promise: Promise<unknown> | (() => unknown)) =>
  Promise.resolve()
    .then(typeof promise === 'function' ? promise : () => promise)
    .then(
      () => 'done',
      (error: unknown) => `${(error as { code?: string }).code}: ${String(error)}`,
    );

describe('revise', () => {
  const [head, tail] = [wordsOf(150), wordsOf(150)];
  const texts = {
    empty: `${head} ${tail}`,
    end: `${head} ${tail} hat`,
    middle: `${head} net net ${tail}`,
  };

  test.each(['prefix', 'moved'] as const)(
    'reuse %s: no change, a change at the end, an insertion that is deleted again: the plain bits',
    async (reuse) => {
      const wanted = {
        empty: bits(await ask(await engine.cache.add(texts.empty))),
        end: bits(await ask(await engine.cache.add(texts.end))),
      };
      engine.cache.clear();
      const doc = await engine.cache.add(texts.empty);
      const results = {
        empty: await engine.cache.revise(doc, texts.empty, { reuse }),
        end: await engine.cache.revise(doc, texts.end, { reuse }),
        again: await engine.cache.revise(
          await engine.cache.revise(doc, texts.middle, { reuse }),
          texts.empty,
          { reuse },
        ),
      };
      expect(bits(await ask(results.empty))).toEqual(wanted.empty);
      expect(bits(await ask(results.end))).toEqual(wanted.end);
      const again = await ask(results.again);
      expect(bits(again)).toEqual(wanted.empty);
      expect(again.usage).not.toHaveProperty('movedTokens');
      expect(bits(await ask(doc))).toEqual(wanted.empty); // the old one stays as it is
    },
  );

  test('"prefix" is exact; "moved" computes only what is new, says so, and leaves the old context as it is', async () => {
    const exact = bits(await ask(await engine.cache.add(texts.middle)));
    engine.cache.clear();
    const doc = await engine.cache.add(texts.empty);
    const before = bits(await ask(doc));
    const prefix = await engine.cache.revise(doc, texts.middle);
    expect(bits(await ask(prefix))).toEqual(exact);
    expect(prefix.movedTokens).toBe(0);
    const counted = engine.stats().rows;
    const moved = await engine.cache.revise(doc, texts.middle, { reuse: 'moved' });
    expect(engine.stats().rows - counted).toBeLessThan(20);
    expect(moved.length).toBe(prefix.length);
    expect(moved.tokens).toEqual(prefix.tokens);
    expect(moved.movedTokens).toBeGreaterThan(100);
    const answer = await ask(moved);
    expect(bits(answer)).not.toEqual(exact);
    expect(answer.usage.movedTokens).toBe(moved.movedTokens);
    expect(answer.usage.promptTokens).toBe(moved.length + 1);
    expect(bits(await ask(doc))).toEqual(before);
    // An exact request of the same text does not find it.
    expect(bits(await ask(await engine.cache.add(texts.middle)))).toEqual(exact);
  });

  test('the same bits warm and cold, alone and in a batch, in any chunks; pinned it stays', async () => {
    const make = async (on: Engine, pin = false) => {
      const doc = await on.cache.add(texts.empty);
      const once = await on.cache.revise(doc, texts.middle, { reuse: 'moved' });
      const changed = `inn ${texts.middle.replace(/hat/, 'her her')}`;
      return on.cache.revise(once, changed, { reuse: 'moved', pin });
    };
    const questions = [' the', ' and the', ' inn'];
    const asked = async (on: Engine, context: Context) => {
      const batch = on.createBatch(
        questions.map((prompt) => ({ context, prompt })),
        few,
      );
      return (await batch.results()).map(bitsOfItem);
    };
    const wanted = await asked(engine, await make(engine));
    const context = await make(engine, true);
    engine.cache.clear();
    const { usage } = await ask(context);
    expect(usage.cachedTokens).toBeGreaterThan(context.length - 64);
    expect(await asked(engine, context)).toEqual(wanted);
    engine.cache.release(context);
    const other = await make(engine);
    engine.cache.clear();
    await engine.complete('x', { maxTokens: 1 }).result;
    expect(await asked(engine, other)).toEqual(wanted); // computed again: replayed
    for (const how of [{ threads: 1, stepTokens: 7 }, { stepTokens: 64 }, { prefixCache: false }]) {
      await using on = await Engine.load(path, how);
      expect(await asked(on, await make(on))).toEqual(wanted);
    }
  });

  test('messages, token ids, and a compressed context, which stays compressed', async () => {
    const doc = await engine.cache.add([5, 6, 7, 8, 9, 10, 11, 12].concat([...Array(80).keys()]));
    const next = await engine.cache.revise(doc, [5, 6, 7].concat([...Array(80).keys()]), {
      reuse: 'moved',
    });
    expect(next.movedTokens).toBe(79);
    const compress = { policy: 'recent', keep: 0.5 } as const;
    const small = await engine.cache.add(texts.empty, { compress });
    const revised = await engine.cache.revise(small, texts.middle);
    const wanted = await engine.cache.add(texts.middle, { compress });
    expect(revised.kv).toEqual(wanted.kv);
    expect(bits(await ask(revised))).toEqual(bits(await ask(wanted)));
    const refused = engine.cache.revise(small, texts.middle, { reuse: 'moved' });
    expect(await codeOf(refused)).toMatch(/^invalid_argument/);
  });

  test('bad options are refused', async () => {
    const doc = await engine.cache.add(texts.empty);
    const revise = engine.cache.revise.bind(engine.cache) as (
      ...given: unknown[]
    ) => Promise<unknown>;
    expect(await codeOf(() => revise(doc, 'the', { reuse: 'all' }))).toMatch(/`reuse`/);
    expect(await codeOf(() => revise({}, 'the'))).toMatch(/^invalid_argument/);
    expect(await codeOf(() => revise(doc, []))).toMatch(/^invalid_argument/);
    expect(await codeOf(() => revise(doc, 'the', { sources: [] }))).toMatch(/^invalid_argument/);
    engine.cache.release(doc);
    expect(await codeOf(() => revise(doc, 'the'))).toMatch(/^disposed/);
  });
});

describe('contexts that stand together', () => {
  const texts = [wordsOf(60), wordsOf(90), wordsOf(75)];
  const neutral = { how: 'parallel', temperature: 1, scale: 1 } as const;
  const addAll = () => Promise.all(texts.map((text) => engine.cache.add(text)));

  test('one alone, neutral: the plain bits; with another temperature it is another context', async () => {
    const [a] = await addAll();
    const wanted = bits(await ask(a!));
    for (const combine of ['sequence', neutral] as const) {
      const answer = await ask([a!], { combine });
      expect(bits(answer)).toEqual(wanted);
      expect(answer.usage).not.toHaveProperty('movedTokens');
    }
    const warm = await ask([a!], { combine: 'parallel' });
    expect(bits(warm)).not.toEqual(wanted);
    expect(warm.usage.movedTokens).toBe(a!.length - 1);
  });

  test('a chain of sources is the plain text, and so is each of them after its sources', async () => {
    const whole = await engine.cache.add(texts.join(' '));
    const wanted = bits(await ask(whole));
    const ids = whole.tokens;
    engine.cache.clear();
    const cut = (first: number, end?: number) => ids.slice(first, end);
    const a = await engine.cache.add(cut(0, 70));
    const b = await engine.cache.add(cut(70, 150), { sources: [a] });
    const c = await engine.cache.add(cut(150), { sources: [a, b] });
    expect([a.length, b.length, c.length]).toEqual([70, 80, ids.length - 150]);
    const chain = await ask([a, b, c], { combine: 'sequence' });
    expect(bits(chain)).toEqual(wanted);
    expect(chain.usage).not.toHaveProperty('movedTokens');
    expect(bits(await ask(c))).toEqual(wanted);
    expect(bits(await ask([c], { combine: 'sequence' }))).toEqual(wanted);
    // Elsewhere than after its sources, it is moved.
    const moved = await ask([b, c], { combine: 'sequence' });
    expect(moved.usage.movedTokens).toBe(b.length + c.length);
  });

  test('in a sequence each follows the one before, without its first token; side by side all begin alike', async () => {
    const contexts = await addAll();
    const lengths = contexts.map(({ length }) => length - 1); // without the first token of a text
    const total = lengths.reduce((sum, n) => sum + n, 0);
    const one = await ask(contexts, { combine: 'sequence' });
    expect(one.usage.promptTokens).toBe(1 + total + 1);
    expect(one.usage.cachedTokens).toBeGreaterThanOrEqual(total);
    const side = await ask(contexts, { combine: 'parallel' });
    expect(side.usage.promptTokens).toBe(1 + total + 1);
    expect(side.usage.cachedTokens).toBeGreaterThanOrEqual(total);
    const other = await ask([...contexts].reverse(), { combine: 'parallel' });
    expect(bits(other)).not.toEqual(bits(side)); // their order is that of the sum
    const set = new Set([one, side, other].map((answer) => JSON.stringify(bits(answer))));
    expect(set.size).toBe(3);
  });

  test('sessions, batches and scores have them; warm and cold, alone and together, in the same bits', async () => {
    const contexts = await addAll();
    const combine = { how: 'parallel', temperature: 0.8, scale: 0.7 } as const;
    const alone = await ask(contexts, { combine });
    const batch = engine.createBatch(
      [contexts, contexts.slice(0, 2), contexts].map((context) => ({
        context,
        combine,
        prompt: ' the',
      })),
      few,
    );
    const [first, second, third] = (await batch.results()).map(bitsOfItem);
    expect(first).toEqual(bits(alone));
    expect(third).toEqual(first);
    expect(second).not.toEqual(first);
    const session = engine.createSession({ context: contexts, combine });
    const turn = await session.complete(' the', few).result;
    expect(bits(turn)).toEqual(bits(alone));
    const next = await session.complete(' and', few).result;
    expect(next.usage.cachedTokens).toBeGreaterThan(turn.usage.promptTokens);
    expect(session.tokens.length).toBeLessThan(20); // its own
    const score = await engine.score(' the hat', { context: contexts, combine });
    expect(score.logprobs).toHaveLength(score.tokens.length - 1); // its first token has a row of others before it
    expect(score.usage.movedTokens).toBe(alone.usage.movedTokens);
    engine.cache.clear();
    await engine.complete('x', { maxTokens: 1 }).result;
    expect(bits(await ask(contexts, { combine }))).toEqual(bits(alone));
    expect((await engine.score(' the hat', { context: contexts, combine })).logprobs).toEqual(
      score.logprobs,
    );
  });

  test('what all were computed after stands before them once', async () => {
    const system = await engine.cache.add(wordsOf(20));
    const all = await Promise.all(
      texts.map((text) => engine.cache.add(text, { sources: [system] })),
    );
    const { usage } = await ask(all, { combine: 'parallel' });
    const own = all.reduce((sum, { length }) => sum + length, 0);
    expect(usage.promptTokens).toBe(system.length + own + 1);
    expect(usage.movedTokens).toBe(own);
  });

  test('what cannot be is refused: lists without a word, words without contexts, edited ones, other namespaces', async () => {
    const [a, b] = await addAll();
    const elsewhere = await engine.cache.add('the', { namespace: 'x' });
    const small = await engine.cache.add(texts[0]!, { compress: { policy: 'recent', keep: 0.5 } });
    const refused: [unknown, unknown][] = [
      [[a, b], undefined],
      [undefined, 'parallel'],
      [[], 'sequence'],
      [[a, 5], 'sequence'],
      [[a, elsewhere], 'sequence'],
      [[a, small], 'parallel'],
      [[a, b], 'both'],
      [[a, b], { how: 'parallel', temperature: 0 }],
      [[a, b], { how: 'parallel', scale: Number.NaN }],
      [[a, b], { how: 'parallel', heat: 1 }],
      [[a, b], { how: 'sequence' }],
    ];
    for (const [context, combine] of refused) {
      const options = { context, combine } as Parameters<Engine['complete']>[1];
      expect(await codeOf(() => engine.complete('the', options).result)).toMatch(
        /^invalid_argument/,
      );
      expect(await codeOf(() => engine.createSession(options as object))).toMatch(
        /^invalid_argument/,
      );
    }
    const compress = { policy: 'recent', keep: 0.5 } as const;
    expect(await codeOf(ask([a!, b!], { combine: 'sequence', compress }))).toMatch(
      /^not_supported/,
    );
    const many = Array.from({ length: 40 }, () => a!);
    expect(await codeOf(ask(many, { combine: 'sequence' }))).toMatch(/^context_overflow/);
    engine.cache.release(b!);
    expect(await codeOf(() => ask([a!, b!], { combine: 'sequence' }))).toMatch(/^disposed/);
  });
});
