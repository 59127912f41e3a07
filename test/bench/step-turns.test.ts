/** The engine that bench:shared measures: its decoding steps take turns. */
import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import { emulatedLibrary, testing } from '../testing.js';
import type { StepTurns, Turn } from '../testing/step-turns.js';

const PREFIX = Array.from({ length: 300 }, (_, i) => 3 + (i % 290));
const SEQUENCES = 4;
const TOKENS = 40; // more than the steps in which some of the sequences may still begin

const devices = [
  { name: 'the CPU', options: { sharedReads: 'always', draft: false } as const, internal: {} },
  ...(emulatedLibrary === undefined
    ? []
    : [
        {
          name: 'an emulated GPU',
          options: { sharedReads: 'always', draft: false, device: 'cuda' } as const,
          internal: { cudaLibrary: emulatedLibrary },
        },
      ]),
];

describe.each(devices)('turns of decoding steps on $name', ({ options, internal }) => {
  const turns: StepTurns = new testing.StepTurns();
  let engine: Engine;
  beforeAll(async () => {
    const { path } = await writeTinyModel({ window: 100, architecture: 'mistral' });
    engine = await Engine.loadWith(path, options, internal, turns);
  });
  afterAll(() => engine.dispose());

  /** Again, until some of the sequences have run together: they need not begin in one step. */
  async function decode(...taken: Turn[]) {
    for (;;) {
      const ran = await decodeOnce(taken);
      if (ran.steps.some(({ rows }) => rows > 1)) return ran;
    }
  }

  async function decodeOnce(taken: Turn[]) {
    turns.take(taken);
    turns.steps();
    const prompts = Array.from({ length: SEQUENCES }, (_, i) => ({ tokens: [...PREFIX, 3 + i] }));
    const results = await engine
      .createBatch(prompts, { maxTokens: TOKENS, ignoreEos: true, topLogprobs: 1 })
      .results();
    return {
      answers: results.map((result) =>
        result.error ? result.error : [result.tokens, result.logprobs],
      ),
      steps: turns.steps(),
    };
  }

  test('steps apart give the same bits as those that read together', async () => {
    const chosen = await decode('chosen');
    const apart = await decode('apart');
    expect(apart.answers).toEqual(chosen.answers);
    const together = chosen.steps.filter(({ rows }) => rows > 1);
    expect(together.every(({ isGrouped }) => isGrouped)).toBe(true);
  });

  test('steps without attention forget what stands before them', async () => {
    const chosen = await decode('chosen');
    const none = await decode('no attention');
    expect(none.answers).not.toEqual(chosen.answers);
    expect(none.answers.flat(3).length).toBe(chosen.answers.flat(3).length);
  });

  test('turns go round, and each is timed', async () => {
    const { steps } = await decode('chosen', 'apart', 'no attention');
    expect(steps.length).toBeGreaterThanOrEqual(TOKENS / 2);
    const at = steps.findIndex(({ turn }) => turn === 'chosen');
    expect(steps.slice(at, at + 4).map(({ turn }) => turn)).toEqual([
      'chosen',
      'apart',
      'no attention',
      'chosen',
    ]);
    for (const { ms } of steps) expect(ms).toBeGreaterThan(0);
  });
});
