import fc from 'fast-check';

import { describeSharing, Engine } from '../../lib/index.js';
import type { GenerationResult, LoadOptions } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

const token = (seed: number, i: number) => 3 + ((seed * 7919 + i * 104_729) % 300);
const text = (seed: number, n: number) => Array.from({ length: n }, (_, i) => token(seed, i));

/** A batch whose prompts are paths of a random tree, up to five levels deep. */
const node: fc.Memo<Tree> = fc.memo((n) =>
  fc.record({
    own: fc.oneof(fc.integer({ min: 1, max: 90 }), fc.constantFrom(31, 32, 33, 64, 256, 257)),
    children: n <= 1 ? fc.constant([]) : fc.array(node(n - 1), { maxLength: 3 }),
  }),
);
interface Tree {
  own: number;
  children: Tree[];
}

function paths(tree: Tree, before: number[] = [], seed = 1): number[][] {
  const here = [...before, ...text(seed, tree.own)];
  if (tree.children.length === 0) return [here];
  return tree.children.flatMap((child, i) => paths(child, here, seed * 5 + i + 1));
}

describe('sharing changes nothing but the time', () => {
  let path: string;
  const engines: Engine[] = [];
  beforeAll(async () => {
    ({ path } = await writeTinyModel({
      type: 'Q8_0',
      shape: { width: 96, heads: 6, kvHeads: 2, context: 2048 },
    }));
    // Room for all; for little more than the longest; and none to be found in.
    const little = { bytes: 1 << 20 };
    const ways: LoadOptions[] = [
      { sharedReads: 'never', prefixCache: false },
      { sharedReads: 'always' },
      { sharedReads: 'auto', threads: 1 },
      { sharedReads: 'always', kv: little, stepTokens: 40 },
    ];
    for (const way of ways)
      engines.push(await Engine.load(path, { checkInvariants: true, ...way }));
  });
  afterAll(() => Promise.all(engines.map((engine) => engine.dispose())));

  test('tokens and log-probabilities are the same to the last bit, over random prefix trees', async () => {
    await fc.assert(
      fc.asyncProperty(node(5), async (tree) => {
        const prompts = paths(tree)
          .map((ids) => ids.slice(0, 900))
          .slice(0, 24);
        const outcomes = await Promise.all(
          engines.map(async (engine) => {
            const results = await Promise.all(
              prompts.map(
                (ids) => engine.completeTokens(ids, { maxTokens: 6, ignoreEos: true }).result,
              ),
            );
            return results.map(({ tokens, logprob }) => ({ tokens, logprob }));
          }),
        );
        for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
      }),
      { numRuns: 12 },
    );
  });

  test('with joins, leaves and forks in the middle', async () => {
    const [plain, shared] = engines as [Engine, Engine];
    const prefix = text(3, 300);
    const ask = (engine: Engine, seed: number, maxTokens: number) =>
      engine.completeTokens([...prefix, ...text(seed, 9)], { maxTokens, ignoreEos: true });
    const long = ask(shared, 50, 40);
    const seen: Promise<GenerationResult>[] = [];
    const aborted: Promise<unknown>[] = [];
    let at = 0;
    for await (const { id } of long.tokens()) {
      if (id < 0) break;
      seen.push(ask(shared, 100 + at, 1 + (at % 7)).result);
      if (at % 5 === 0) {
        const leaving = ask(shared, 200 + at, 30);
        aborted.push(leaving.result.catch(() => undefined));
        setImmediate(() => leaving.stop());
      }
      at++;
    }
    const results = await Promise.all(seen);
    await Promise.all(aborted);
    for (const [i, { tokens, logprob }] of results.entries())
      expect({ tokens, logprob }).toEqual(pick(await ask(plain, 100 + i, 1 + (i % 7)).result));
    // A fork: what has been generated is shared, too.
    const whole = await long.result;
    const forks = [1, 2, 3].map((seed) => [
      ...prefix,
      ...text(50, 9),
      ...whole.tokens,
      ...text(seed, 5),
    ]);
    const ofForks = (engine: Engine) =>
      Promise.all(forks.map((ids) => engine.completeTokens(ids, { maxTokens: 8 }).result));
    expect((await ofForks(shared)).map(pick)).toEqual((await ofForks(plain)).map(pick));
  });

  test('explains what it did', async () => {
    const [, engine] = engines as [Engine, Engine];
    engine.clearCache();
    const prefix = text(9, 400);
    const ask = (seed: number) =>
      engine.completeTokens([...prefix, ...text(seed, 3)], {
        maxTokens: 200,
        ignoreEos: true,
        draft: false, // every step is one row of each
      }).result;
    const before = engine.stats().kvBytesNotRead;
    await Promise.all([1, 2, 3, 4].map(ask));
    const steps = engine.explain().filter(({ decoding }) => decoding === 4);
    const group = steps.at(-1)!.groups[0]!;
    expect(group).toMatchObject({
      depth: 0,
      sequences: 4,
      rows: 4,
      firstToken: 0,
      tokens: 384,
      grouped: true,
    });
    expect(group.bytesNotRead).toBe(3 * 384 * engine.description.kvBytesPerToken);
    expect(engine.stats().kvBytesNotRead - before).toBeGreaterThan(10 * group.bytesNotRead);
    expect(describeSharing(steps)).toMatch(/tokens 0 to 384: 4 sequences, 4 rows, read together/);
    expect(describeSharing([])).toBe('no step has shared anything yet');
  });
});

test('forking a session of 16,000 tokens computes and copies nothing, and shares all of it', async () => {
  const { path } = await writeTinyModel({ shape: { context: 20_000 } });
  await using engine = await Engine.load(path);
  const session = engine.createSession();
  const { usage } = await session.complete('the a '.repeat(8000), { maxTokens: 1 }).result;
  expect(usage.promptTokens).toBeGreaterThan(16_000);
  const stats = engine.stats();
  const before = stats.kvBytesInUse;
  const forks = [1, 2, 3].map(() => session.fork());
  expect(engine.stats()).toEqual(stats);
  const results = await Promise.all(
    forks.map((fork) => fork.complete(' the', { maxTokens: 2, ignoreEos: true }).result),
  );
  for (const {
    usage: { promptTokens, cachedTokens },
  } of results)
    expect(promptTokens - cachedTokens).toBeLessThan(34);
  // A few blocks for all of them, where each would have needed five hundred.
  const block = 32 * engine.description.kvBytesPerToken;
  expect(engine.stats().kvBytesInUse - before).toBeLessThan(7 * block);
});

const pick = ({ tokens, logprob }: GenerationResult) => ({ tokens, logprob });
