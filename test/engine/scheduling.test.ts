import fc from 'fast-check';

import { Engine } from '../../lib/index.js';
import type { CachalotError, Context } from '../../lib/index.js';
import { native } from '../../lib/native.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import { COSTS, trace } from '../fixtures/traces.js';

describe('schedules of batches, simulated', () => {
  const batch = trace(600, 60, new Random(5));
  const scarce = { kvTokens: 6000, stepRows: 256, reuse: true };

  test('grouped by prefix, what is shared is computed once though memory is scarce; first come, first served pays', async () => {
    const grouped = await native().simulate(
      batch,
      { ...scarce, schedule: 'prefix-grouped' },
      COSTS,
    );
    const fcfs = await native().simulate(batch, { ...scarce, schedule: 'fcfs' }, COSTS);
    const none = await native().simulate(
      batch,
      { ...scarce, schedule: 'fcfs', reuse: false },
      COSTS,
    );
    for (const { failed, peakTokens } of [grouped, fcfs, none]) {
      expect(failed).toBe(0);
      expect(peakTokens).toBeLessThanOrEqual(6000);
    }
    expect(grouped.promptRows).toBeGreaterThanOrEqual(grouped.distinctTokens);
    expect(grouped.promptRows).toBeLessThan(1.05 * grouped.distinctTokens);
    expect(fcfs.promptRows).toBeGreaterThan(1.3 * grouped.promptRows);
    expect(fcfs.seconds).toBeGreaterThan(1.3 * grouped.seconds);
    expect(none.promptRows).toBeGreaterThan(fcfs.promptRows);
  });

  describe('a short prompt', () => {
    /** Prompts of those lengths that begin differently, but for those with the same name. */
    const simulate = (lengths: number[], names = lengths.map((_, i) => i), stepRows = 64) => {
      const blocks = lengths.map((length) => Math.ceil(length / 64));
      let n = 0;
      const batch = {
        blockTokens: 64,
        lengths: Int32Array.from(lengths),
        outputs: Int32Array.from(lengths, () => 1),
        hashes: Int32Array.from(
          blocks.flatMap((own, i) =>
            Array.from({ length: own }, (_, block) => 100 * names[i]! + block),
          ),
        ),
        hashEnds: Int32Array.from(blocks, (own) => (n += own)),
      };
      const options = { schedule: 'fcfs', kvTokens: 6000, stepRows, reuse: true } as const;
      return native().simulate(batch, options, COSTS);
    };

    test('does not wait until a long one ends', async () => {
      expect((await simulate([1000, 30])).ends).toEqual([1, 0]);
      expect((await simulate([1000, 20, 500, 12])).ends).toEqual([1, 3, 0, 2]);
    });

    test('waits where half of a step is not enough for it', async () => {
      expect((await simulate([1000, 40])).ends).toEqual([0, 1]);
    });

    test('that comes several times is computed once', async () => {
      const names = [1, 2, 2, 2];
      const { ends, promptRows } = await simulate([3000, 100, 100, 100], names, 512);
      expect(ends.at(-1)).toBe(0);
      expect(promptRows).toBeLessThanOrEqual(3000 + 100 + 2 * (100 - 96));
    });
  });

  test('everything ends, whatever the memory, the chunk and the schedule', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 80 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1216, max: 9000 }),
        fc.integer({ min: 1, max: 300 }),
        fc.constantFrom('prefix-grouped', 'fcfs'),
        async (requests, documents, kvTokens, stepRows, schedule) => {
          const small = trace(requests, documents, new Random(requests));
          const how = { kvTokens, stepRows, schedule, reuse: true } as const;
          const { failed, promptRows, distinctTokens } = await native().simulate(small, how, COSTS);
          expect(failed).toBe(0);
          expect(promptRows).toBeGreaterThanOrEqual(distinctTokens);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('requests that arrive one after the other, simulated', () => {
  const three = {
    blockTokens: 64,
    lengths: Int32Array.of(64, 64, 64),
    outputs: Int32Array.of(3, 2, 1),
    hashes: Int32Array.of(1, 2, 3),
    hashEnds: Int32Array.of(1, 2, 3),
  };
  const options = { schedule: 'fcfs', kvTokens: 6000, stepRows: 64, reuse: true } as const;

  test('each is computed when it is there, and its times are told', async () => {
    const arrivals = Int32Array.of(0, 10_000, 20_000);
    const { firstToken, ended, seconds } = await native().simulate(
      { ...three, arrivals },
      options,
      COSTS,
    );
    // A prompt: 64 million operations for its rows, 409,600 for its keys. Decoding a row takes as long to read as to compute.
    const prompt = 0.064 + 64 * 64 * 1e-7;
    const row = (context: number) => 1e-3 + context * 1e-7; // its reading, and its arithmetic
    const starts = [0, 10, 20];
    starts.forEach((start, i) => expect(firstToken[i]).toBeCloseTo(start + prompt, 9));
    expect(ended[0]).toBeCloseTo(firstToken[0]! + row(65) + row(66), 9);
    expect(ended[1]).toBeCloseTo(firstToken[1]! + row(65), 9);
    expect(ended[2]).toBe(firstToken[2]);
    expect(seconds).toBe(ended[2]);
  });

  test('those that come while another runs wait for its step', async () => {
    const arrivals = Int32Array.of(0, 1, 1);
    const { firstToken } = await native().simulate({ ...three, arrivals }, options, COSTS);
    expect([...firstToken]).toEqual([...firstToken].sort((a, b) => a - b));
    expect(firstToken[1]).toBeGreaterThan(firstToken[0]!);
  });

  test.each([
    [{ arrivals: Int32Array.of(5, 1, 9) }, {}],
    [{ arrivals: Int32Array.of(1) }, {}],
    [{ arrivals: Int32Array.of(0, 1, 2) }, { schedule: 'prefix-grouped' }],
    [{ outputs: Int32Array.of(1, 0, 1) }, {}],
    [{ lengths: Int32Array.of(0, 1, 1) }, {}],
    [{ hashEnds: Int32Array.of(1, 2, 9) }, {}],
    [{ hashes: Int32Array.of(-1, 2, 3) }, {}],
    [{ blockTokens: 0 }, {}],
    [{}, { kvTokens: 0 }],
    [{}, { stepRows: 0 }],
  ] as const)('%j, %j is refused', async (wrong, how) => {
    const given = native().simulate({ ...three, ...wrong }, { ...options, ...how }, COSTS);
    await expect(given).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});

describe('the order of a batch', () => {
  const order = (prompts: number[][], maxTokens: number[] = prompts.map(() => 1)) => {
    const orderer = new (native().PromptOrderer)();
    prompts.forEach((tokens, i) => orderer.add(Int32Array.from(tokens), maxTokens[i]!));
    return orderer.order();
  };
  const block = (value: number, n = 32) => Array<number>(n).fill(value);

  test('users of a prefix stand together, declared or not, and it says what neighbours share', async () => {
    const [a, b] = [block(1, 70), block(2, 40)];
    const prompts = [
      [...a, 5],
      [...b, 5],
      [...a, 6],
      [...b, 6],
      [...a, 5, 7],
    ];
    const { order: ranks, sharedWithNext, distinctTokens } = await order(prompts);
    expect([...ranks].sort()).toEqual([0, 1, 2, 3, 4]);
    const groups = Array.from(ranks, (i) => prompts[i]![0]);
    expect(new Set(groups.slice(0, 2)).size + new Set(groups.slice(3)).size).toBe(2);
    ranks.forEach((index, rank) => {
      const next = ranks[rank + 1];
      const own = prompts[index]!;
      const other = next === undefined ? [] : prompts[next]!;
      const differs = own.findIndex((token, i) => token !== other[i]);
      expect(sharedWithNext[rank]).toBe(differs < 0 ? own.length : differs);
    });
    expect(distinctTokens).toBe(70 + 1 + 1 + 1 + 40 + 1 + 1);
  });

  test('those that generate much for what they compute come first', async () => {
    const prompts = [block(1, 500), block(2, 40), block(3, 100)];
    expect(Array.from((await order(prompts, [10, 400, 100])).order)).toEqual([1, 2, 0]);
  });

  test('of nothing, of one, of equals', async () => {
    expect((await order([])).order).toHaveLength(0);
    expect(Array.from((await order([[1]])).order)).toEqual([0]);
    const { order: ranks, distinctTokens } = await order([
      block(1, 99),
      block(1, 99),
      block(1, 99),
    ]);
    expect([...ranks]).toEqual([0, 1, 2]);
    expect(distinctTokens).toBe(99);
  });
});

describe('requests that wait', () => {
  let path: string;
  beforeAll(
    async () => ({ path } = await writeTinyModel({ shape: { context: 131_072, width: 128 } })),
  );
  const ids = (seed: number, n: number) =>
    Array.from({ length: n }, (_, i) => 3 + ((seed * 7919 + i * 31) % 300));

  test('equal and overlapping prompts that come together are computed once', async () => {
    await using engine = await Engine.load(path, { stepTokens: 64, checkInvariants: true });
    const prefix = ids(1, 640);
    const prompts = [
      prefix,
      prefix,
      [...prefix, ...ids(2, 40)],
      [...prefix, ...ids(3, 40)],
      ids(1, 330),
    ];
    const results = await Promise.all(
      prompts.map((tokens) => engine.completeTokens(tokens, { maxTokens: 1 }).result),
    );
    const cached = results.map(({ usage }) => usage.cachedTokens);
    expect(cached[0]).toBe(0);
    expect(cached.slice(1)).toEqual([639, 640, 640, 329]);
    expect(engine.stats().rows).toBe(640 + 1 + 40 + 40 + 1);
  });

  test('a higher priority runs first, and a lower one makes room for it', async () => {
    await using engine = await Engine.load(path, {
      stepTokens: 32,
      kv: { bytes: 1 << 20, format: 'f32' },
      checkInvariants: true,
    });
    const ended: string[] = [];
    const run = (name: string, seed: number, priority: number) =>
      engine
        .completeTokens(ids(seed, 900), { maxTokens: 40, priority, ignoreEos: true })
        .result.then(({ tokens }) => void (ended.push(name), expect(tokens).toHaveLength(40)));
    await Promise.all([run('low', 1, 10), run('usual', 2, 35), run('high', 3, 90)]);
    expect(ended[0]).toBe('high');
    expect(ended.at(-1)).toBe('low');
  });

  test('a deadline that passes ends the request, and it alone', async () => {
    await using engine = await Engine.load(path, { stepTokens: 8 });
    const [late, fine] = await Promise.allSettled([
      // Thousands of steps: no machine does them within the deadline.
      engine.completeTokens(ids(1, 30_000), { maxTokens: 90_000, deadlineMs: 20, ignoreEos: true })
        .result,
      engine.completeTokens(ids(2, 5), { maxTokens: 5, deadlineMs: 86_400_000 }).result,
    ]);
    expect(fine.status).toBe('fulfilled');
    const error = (late as PromiseRejectedResult).reason as CachalotError;
    expect(error.code).toBe('deadline_exceeded');
    expect(error.message).toContain('20 ms');
    expect(engine.stats()).toMatchObject({ waiting: 0, running: 0 });
  });

  test('what can never fit is told so at once, though others run', async () => {
    await using engine = await Engine.load(path, { kv: { bytes: 1 << 20, format: 'f32' } });
    const order: string[] = [];
    const running = engine.completeTokens(ids(1, 30), { maxTokens: 400, ignoreEos: true });
    const ended = running.result.then(() => order.push('running'));
    const { kvBytes } = engine.stats();
    const room = kvBytes / engine.description.kvBytesPerToken;
    const refused = await engine
      .completeTokens(ids(2, room + 33), { maxTokens: 1 })
      .result.catch((error: unknown) => error as CachalotError);
    order.push('refused');
    expect((refused as CachalotError).code).toBe('kv_budget_exceeded');
    await ended;
    expect(order).toEqual(['refused', 'running']);
  });

  test('namespaces share nothing and see nothing of each other', async () => {
    await using engine = await Engine.load(path, { checkInvariants: true });
    const ask = (namespace?: string) =>
      engine.completeTokens(ids(7, 200), {
        maxTokens: 1,
        ...(namespace === undefined ? {} : { namespace }),
      }).result;
    await ask('a');
    expect((await ask('b')).usage.cachedTokens).toBe(0);
    expect((await ask()).usage.cachedTokens).toBe(0);
    expect((await ask('a')).usage.cachedTokens).toBe(199);
    const both = await Promise.all([ask('c'), ask('d')]); // together: neither waits for the other
    expect(both.map(({ usage }) => usage.cachedTokens)).toEqual([0, 0]);
    const context = await engine.cache.add(ids(8, 64), { namespace: 'a' });
    expect(context.namespace).toBe('a');
    const inside = await engine.complete('x', { context, maxTokens: 1 }).result;
    expect(inside.usage.cachedTokens).toBeGreaterThanOrEqual(64);
    expect(() => engine.complete('x', { context, namespace: 'b' })).toThrow(/namespace/);
    expect(() => engine.createSession({ context, namespace: 'b' })).toThrow(/namespace/);
  });

  test('a context lives as long as it is told to after its last use', async () => {
    await using engine = await Engine.load(path, { kv: { bytes: 1 << 20, format: 'f32' } });
    const brief = await engine.cache.add(ids(1, 320), { pin: true, ttlMs: 1 });
    const lasting = await engine.cache.add(ids(2, 320), { pin: true, ttlMs: 86_400_000 });
    await new Promise((resolve) => setTimeout(resolve, 10));
    for (let seed = 20; seed < 26; seed++)
      await engine.completeTokens(ids(seed, 600), { maxTokens: 1 }).result;
    const cached = async ({ tokens }: Context) =>
      (await engine.completeTokens([...tokens, 5], { maxTokens: 1 }).result).usage.cachedTokens;
    expect(await cached(lasting)).toBe(320);
    expect(await cached(brief)).toBeLessThan(320);
  });

  test('a target for steps keeps prompts in small pieces beside those who generate', async () => {
    await using engine = await Engine.load(path, { maxStepMs: 0.01 });
    // They share 32 tokens, so that each step in which both are is kept, whatever this thread was late to see.
    const prompt = ids(1, 36);
    const stop = new AbortController();
    const generating = engine.completeTokens(prompt, {
      maxTokens: 100_000,
      ignoreEos: true,
      signal: stop.signal,
    });
    await generating.tokens()[Symbol.asyncIterator]().next();
    await engine.completeTokens([...prompt.slice(0, 32), ...ids(2, 400)], { maxTokens: 1 }).result;
    const together = engine.explain().filter(({ sequences }) => sequences === 2);
    expect(together.every(({ decoding }) => decoding > 0)).toBe(true);
    // A target that cannot be met: once a step with the prompt has been timed, four of its rows a step, the least.
    const [first, ...later] = together.map(({ rows, decoding }) => rows - decoding);
    expect(Math.max(...later)).toBe(4);
    expect(later.length).toBeGreaterThanOrEqual((400 - first!) / 4 - 1);
    stop.abort();
    await expect(generating.result).rejects.toMatchObject({ code: 'aborted' });
  });
});
