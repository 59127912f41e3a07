/** One AbortSignal for many requests: what hangs on it is what runs, not what ever ran. */
import { getEventListeners } from 'node:events';

import { either, onAbort } from '../../lib/signals/abort.js';
import { Engine } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

/** Signals that Node has made of this one, which it keeps for as long as this one lives. */
function dependants(signal: AbortSignal): number {
  const key = Object.getOwnPropertySymbols(signal).find(
    ({ description }) => description === 'kDependantSignals',
  );
  const all = key && (signal as unknown as Record<symbol, Set<unknown> | undefined>)[key];
  return all?.size ?? 0;
}

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('an AbortSignal that requests share', () => {
  let engine: Engine;
  beforeAll(async () => {
    const template = '{% for m in messages %}{{ m.content }}{% endfor %}';
    engine = await Engine.load((await writeTinyModel({ template })).path);
  });
  afterAll(() => engine.dispose());

  test('has one listener while they run, and nothing once they have ended', async () => {
    const { signal } = new AbortController();
    const options = { maxTokens: 3, signal };
    const running = [
      ...Array.from({ length: 100 }, () => engine.complete('the', options).result),
      ...Array.from(
        { length: 10 },
        () => engine.chat([{ role: 'user', content: 'a' }], options).result,
      ),
      engine.score('the inn', { signal }),
      engine.cache.add('the inn '.repeat(20), { signal }),
      engine
        .createBatch(['a', { prompt: 'the', signal }, 'the inn'], { ...options, n: 2 })
        .results(),
    ];
    expect(listeners(signal)).toBe(1);
    await Promise.all(running);
    expect([listeners(signal), dependants(signal)]).toEqual([0, 0]);
  });

  test('ends them all, the items of a batch with signals of their own, too', async () => {
    const shared = new AbortController();
    const own = new AbortController();
    const options = { maxTokens: 400, ignoreEos: true, signal: shared.signal };
    const batch = engine.createBatch(['a', { prompt: 'the', signal: own.signal }], options);
    const alone = engine.complete('the inn', options);
    await alone.tokens().next();
    shared.abort();
    await expect(alone.result).rejects.toMatchObject({ code: 'aborted' });
    for (const { error } of await batch.results()) expect(error?.code).toBe('aborted');
    expect([listeners(shared.signal), listeners(own.signal)]).toEqual([0, 0]);
  });

  test('of a batch is not ended by that of one item', async () => {
    const own = new AbortController();
    own.abort();
    const { signal } = new AbortController();
    const items = ['a', { prompt: 'the', signal: own.signal }];
    const [first, second] = await engine.createBatch(items, { maxTokens: 3, signal }).results();
    expect([first?.error, second?.error?.code]).toEqual([undefined, 'aborted']);
  });
});

test('a listener is called once, in order, unless it is taken back, even by another', () => {
  const { signal, abort } = controller();
  const called: string[] = [];
  onAbort(signal, () => {
    called.push('first');
    takeBack();
  });
  const takeBack = onAbort(signal, () => called.push('never'));
  onAbort(signal, () => called.push('last'));
  abort();
  abort();
  onAbort(signal, () => called.push('too late'));
  expect(called).toEqual(['first', 'last']);
});

test('either of two signals aborts with its own reason, until it is released', () => {
  const [first, second] = [controller(), controller()];
  const both = either(first.signal, second.signal);
  const released = either(first.signal, second.signal);
  released.release();
  second.abort('why');
  expect([both.signal?.aborted, both.signal?.reason]).toEqual([true, 'why']);
  expect(released.signal?.aborted).toBe(false);
  expect(either(undefined, first.signal).signal).toBe(first.signal);
  expect(either(first.signal, second.signal).signal).toBe(second.signal); // aborted already
  both.release();
  expect(listeners(first.signal)).toBe(0);
});

function controller() {
  const made = new AbortController();
  return { signal: made.signal, abort: (reason?: unknown) => made.abort(reason) };
}
