/** Conversations that are longer than the context: endless ones, those that leave out the oldest turns, and those that say that they are full. */
import type { GenerationResult, Session } from '../../lib/index.js';
import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

const TEMPLATE =
  '{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}';
/** Bytes that are no text would be shown to the next turn as something else. */
const logitBias = Object.fromEntries(Array.from({ length: 259 }, (_, id) => [id, -Infinity]));
const few = { maxTokens: 6, topLogprobs: 2, ignoreEos: true, logitBias };
const bits = ({ tokens, logprob, logprobs }: GenerationResult) => [tokens, logprob, logprobs];

let path: string;
let engine: Engine;
beforeAll(
  async () =>
    void ({ path } = await writeTinyModel({ template: TEMPLATE, shape: { context: 256 } })),
);
beforeEach(async () => void (engine = await Engine.load(path, { checkInvariants: true })));
afterEach(() => engine.dispose());

const question = (i: number) => `the inn and the ${'net hat tin her she'.split(' ')[i % 5]} ${i}`;
const talk = async (session: Session, from: number, n: number) => {
  const results: GenerationResult[] = [];
  for (let i = from; i < from + n; i++) results.push(await session.chat(question(i), few).result);
  return results;
};

describe('a session that is full', () => {
  test('says so, and what there is to do', async () => {
    const session = engine.createSession({ system: 'the' });
    const full = talk(session, 0, 40).then(
      () => undefined,
      (error: unknown) => error as Error & { code: string },
    );
    const error = await full;
    expect(error?.code).toBe('context_overflow');
    expect(error?.message).toMatch(/onFull: 'shift'.*compress: \{ policy: 'window'/);
    expect(session.turns).toBeGreaterThan(5);
    expect(session.messages).toHaveLength(1 + 2 * session.turns);
  });
});

describe("onFull: 'shift'", () => {
  test('leaves out the oldest turns, keeps the system message, and computes nothing of the rest again', async () => {
    const session = engine.createSession({ system: 'tin the and her', onFull: 'shift' });
    const results = await talk(session, 0, 60);
    expect(session.turns).toBe(60);
    const { messages } = session;
    expect(messages[0]).toEqual({ role: 'system', content: 'tin the and her' });
    expect(messages[1]!.role).toBe('user');
    expect(messages.length).toBeLessThan(40);
    expect(messages.at(-2)!.content).toBe(question(59));
    expect(session.tokens.length).toBeLessThan(256);
    const moved = results.filter(({ usage }) => (usage.movedTokens ?? 0) > 0);
    expect(moved.length).toBeGreaterThan(30);
    const shifts = results.filter(
      ({ usage }, i) => usage.promptTokens < (results[i - 1]?.usage.promptTokens ?? 0),
    );
    expect(shifts.length).toBeGreaterThan(2);
    // A prompt's own tokens: the question, and what the template writes around it.
    const anew = results.filter(({ usage }) => usage.promptTokens - usage.cachedTokens > 60);
    expect(anew.length).toBeLessThanOrEqual(1 + shifts.length / 3);
  });

  test('needs the memory of a few contexts, however often it shifts', async () => {
    await using small = await Engine.load(path, {
      kv: { bytes: 4 * 256 * engine.description.kvBytesPerToken },
      checkInvariants: true,
    });
    const session = small.createSession({ onFull: 'shift' });
    const results = await talk(session, 0, 50);
    small.cache.clear();
    expect((await talk(session, 50, 20)).length + results.length).toBe(70);
  });

  test('a context or text that cannot be moved is computed again, or says that the session is full', async () => {
    const doc = await engine.cache.add(question(1).repeat(4), {
      compress: { policy: 'recent', keep: 0.5 },
    });
    const session = engine.createSession({ context: doc, onFull: 'shift' });
    expect(await talk(session, 0, 14)).toHaveLength(14);
    expect(() => session.chat('hat', { compress: { policy: 'window', window: 9 } })).toThrow(
      /`compress`/,
    );
    const mixed = engine.createSession({ onFull: 'shift' });
    await mixed.complete('the inn', few).result;
    await expect(talk(mixed, 0, 40)).rejects.toMatchObject({ code: 'context_overflow' });
    expect(engine.detokenize(mixed.tokens)).toMatch(/^ ?the inn/);
  });

  test('the same bits again, on another engine, with other sizes of steps, and computed again', async () => {
    const run = async (on: Engine) => {
      const session = on.createSession({ system: 'her', onFull: 'shift' });
      const first = await talk(session, 0, 30);
      on.cache.clear();
      return [...first, ...(await talk(session, 30, 3))].map(bits);
    };
    const wanted = await run(engine);
    await using other = await Engine.load(path, { threads: 1, stepTokens: 16 });
    expect(await run(other)).toEqual(wanted);
  });

  test('rewinds and forks go on: a rewind past a shift finds the turns that were left out', async () => {
    const session = engine.createSession({ onFull: 'shift' });
    await talk(session, 0, 20);
    expect(session.messages.length).toBeLessThan(40);
    const fork = session.fork();
    const [one] = await talk(session, 20, 1);
    const [two] = await talk(fork, 20, 1);
    expect(bits(two!)).toEqual(bits(one!));
    session.rewind(19);
    expect(session.turns).toBe(2);
    expect(session.messages.map(({ content }) => content).filter((_, i) => i % 2 === 0)).toEqual([
      question(0),
      question(1),
    ]);
  });

  test('is for sessions without compression', () => {
    const compress = { policy: 'window', window: 64 } as const;
    expect(() => engine.createSession({ onFull: 'shift', compress })).toThrow(/onFull/);
    expect(() => engine.createSession({ onFull: 'grow' as 'shift' })).toThrow(/onFull/);
  });
});

describe('an endless session', () => {
  const compress = { policy: 'window', sinks: 4, window: 100 } as const;

  test('goes on far beyond the context, in the memory of a few windows', async () => {
    await using small = await Engine.load(path, {
      kv: { bytes: 40 * 32 * engine.description.kvBytesPerToken },
      checkInvariants: true,
    });
    const session = small.createSession({ compress });
    const results = await talk(session, 0, 80);
    expect(session.tokens.length).toBeGreaterThan(1500);
    for (const { usage } of results.slice(1)) {
      expect(usage.promptTokens - usage.cachedTokens).toBeLessThan(60);
      expect(usage.kv!.kept).toBeLessThanOrEqual(104);
    }
    const whole = engine.createSession({ compress });
    expect((await talk(whole, 0, 80)).map(bits)).toEqual(results.map(bits)); // with more memory
    const { tokens } = await small.complete('the', { compress, maxTokens: 700, ignoreEos: true })
      .result;
    expect(tokens).toHaveLength(700);
  });

  test('as long as sinks and window hold everything, the plain bits', async () => {
    const plain = engine.createSession();
    const wide = engine.createSession({ compress: { policy: 'window', sinks: 4, window: 150 } });
    expect((await talk(wide, 0, 4)).map(bits)).toEqual((await talk(plain, 0, 4)).map(bits));
    expect(wide.tokens.length).toBeLessThan(154);
  });

  test('texts of any length are scored, and the same in parts: rows behind cuts have the bits of the whole', async () => {
    const ids = Array.from({ length: 900 }, (_, i) => 3 + ((i * 7919) % 300));
    const whole = await engine.score(ids, { compress });
    expect(whole.logprobs).toHaveLength(899);
    const from = await engine.score(ids, { compress, from: 700 });
    expect(from.logprobs).toEqual(whole.logprobs.slice(699));
    const long = 'the inn and the hat '.repeat(300);
    expect((await engine.score(long, { compress })).logprobs.length).toBeGreaterThan(1000);
    await expect(engine.score(long)).rejects.toMatchObject({ code: 'context_overflow' });
  });
});

describe('session.revise', () => {
  const file = Array.from({ length: 20 }, (_, i) => question(i)).join('\n');
  const start = async (onFull: 'error' | 'shift' = 'error') => {
    const session = engine.createSession({ onFull });
    await session.chat(`${question(0)} ${question(1)} ${question(2)} ${question(3)}`, few).result;
    await session.chat(question(7), few).result;
    return session;
  };
  const changed = (session: Session) => {
    const { messages } = session;
    messages[0] = {
      role: 'user',
      content: `${question(0)} ${question(9)} ${question(2)} ${question(3)}`,
    };
    return messages;
  };

  test('"prefix" (the default) is the conversation as if it had always been so', async () => {
    const session = await start();
    const messages = changed(session);
    await session.revise({ messages });
    expect(session.messages).toEqual(messages);
    expect(session.turns).toBe(2);
    const [answer] = await talk(session, 11, 1);
    const fresh = engine.createSession({ messages });
    const [wanted] = await talk(fresh, 11, 1);
    expect(bits(answer!)).toEqual(bits(wanted!));
    expect(answer!.usage).not.toHaveProperty('movedTokens');
  });

  test('"moved" computes only what has changed; no change is the plain bits', async () => {
    const session = await start();
    const same = await start();
    await same.revise({ messages: same.messages, reuse: 'moved' });
    const [plain] = await talk(session, 11, 1);
    const [again] = await talk(same, 11, 1);
    expect(bits(again!)).toEqual(bits(plain!));
    const other = await start();
    await other.revise({ messages: changed(other), reuse: 'moved' });
    const [answer] = await talk(other, 11, 1);
    expect(answer!.usage.movedTokens).toBeGreaterThan(30);
    expect(answer!.usage.promptTokens - answer!.usage.cachedTokens).toBeLessThan(60);
    other.rewind(2);
    expect(other.turns).toBe(1);
    expect(other.messages[0]!.content).toMatch(/^ ?the inn/); // as it was, before the revision
  });

  test('another document before the same conversation', async () => {
    const doc = await engine.cache.add(file.slice(0, 200));
    const next = await engine.cache.revise(doc, file.slice(0, 120) + file.slice(130, 200), {
      reuse: 'moved',
    });
    const session = engine.createSession({ context: doc });
    await talk(session, 0, 2);
    await session.revise({ context: next, reuse: 'moved' });
    const [answer] = await talk(session, 5, 1);
    expect(session.tokens.slice(0, next.length)).toEqual(next.tokens);
    expect(answer!.usage.movedTokens).toBeGreaterThan(next.movedTokens);
    expect(answer!.usage.promptTokens - answer!.usage.cachedTokens).toBeLessThan(70);
    session.rewind(3); // to before the revision
    expect(bits((await talk(session, 0, 1))[0]!)).toEqual(
      bits((await talk(engine.createSession({ context: doc }), 0, 1))[0]!),
    );
    const exact = engine.createSession({ context: doc });
    await talk(exact, 0, 2);
    await exact.revise({ context: await engine.cache.add(file.slice(0, 150)) });
    expect((await talk(exact, 5, 1))[0]!.usage).not.toHaveProperty('movedTokens');
  });

  test('what cannot be revised is refused, and the session stays as it was', async () => {
    const session = engine.createSession();
    await session.complete('the inn', few).result;
    await expect(session.revise({ messages: [] })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    await session.chat(question(1), few).result;
    await expect(session.revise({ reuse: 'moved' })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    const chat = await start();
    const before = chat.tokens;
    const bad = (given: object) =>
      chat.revise(given).then(
        () => 'done',
        (e: { code: string }) => e.code,
      );
    expect(await bad({ messages: 5 })).toBe('invalid_argument');
    expect(await bad({ reuse: 'all' })).toBe('invalid_argument');
    expect(await bad({ message: [] })).toBe('invalid_argument');
    expect(chat.tokens).toEqual(before);
  });
});
