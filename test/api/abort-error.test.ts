/** What is aborted rejects with what everybody checks for: `error.name === 'AbortError'`. */
import { CachalotError, Engine, pull } from '../../lib/index.js';
import { startStubServer } from '../fixtures/stub-server.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

const reason = new Error('no longer wanted');
const aborted = AbortSignal.abort(reason);

let engine: Engine;
let path: string;
beforeAll(async () => {
  const template = '{% for m in messages %}{{ m.content }}{% endfor %}';
  ({ path } = await writeTinyModel({ template }));
  engine = await Engine.load(path);
});
afterAll(() => engine.dispose());

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

function expectAbort(error: unknown, cause: unknown = reason): void {
  expect(error).toBeInstanceOf(CachalotError);
  expect(error).toMatchObject({ name: 'AbortError', code: 'aborted', cause });
}

const messages = [{ role: 'user' as const, content: 'a' }];
const options = { maxTokens: 400, ignoreEos: true };

test.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
  ['Engine.load', (signal) => Engine.load(path, { signal })],
  ['pull', (signal) => pull('stories-15m', { signal })],
  ['complete', (signal) => engine.complete('a', { signal }).result],
  ['chat', (signal) => engine.chat(messages, { signal }).result],
  ['a session', (signal) => engine.createSession().chat('a', { signal }).result],
  ['score', (signal) => engine.score('the inn', { signal })],
  ['logits', (signal) => engine.logits('the inn', { signal })],
  ['cache.add', (signal) => engine.cache.add('the inn', { signal })],
  [
    'an item of a batch',
    async (signal) => {
      const [result] = await engine.createBatch([{ prompt: 'a', signal }]).results();
      throw result!.error!;
    },
  ],
])('%s with an aborted signal fails with an AbortError, its code and the reason', async (_, work) =>
  expectAbort(await errorOf(work(aborted))),
);

test('a request that runs, and the loop over its text, end with an AbortError', async () => {
  for (const start of [
    (signal: AbortSignal) => engine.complete('the inn', { ...options, signal }),
    (signal: AbortSignal) => engine.createSession().chat('a', { ...options, signal }),
  ]) {
    const controller = new AbortController();
    const generation = start(controller.signal);
    const reading = (async () => {
      for await (const piece of generation) if (piece !== '') controller.abort(reason);
    })();
    expectAbort(await errorOf(reading));
    expectAbort(await errorOf(generation.result));
  }
});

test('a download that runs ends with an AbortError', async () => {
  await using server = await startStubServer();
  server.files.set('/m.gguf', { bytes: Buffer.alloc(100), stall: { after: 10, times: 9 } });
  const controller = new AbortController();
  const onProgress = () => controller.abort(reason);
  const { signal } = controller;
  expectAbort(await errorOf(pull(`${server.url}/m.gguf`, { signal, onProgress })));
});

test('an abort without a reason has the one that JavaScript gives it', async () => {
  const error = await errorOf(engine.score('the inn', { signal: AbortSignal.abort() }));
  expectAbort(error, expect.objectContaining({ name: 'AbortError' }));
});

test('other errors keep the name of their class', () => {
  expect(new CachalotError('io', 'x').name).toBe('CachalotError');
});
