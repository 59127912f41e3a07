/**
 * Test runners load the package into a realm of its own (`vm` contexts in Jest and Vitest, jsdom), while the addon makes its arrays and
 * errors in another: so is the realm of these tests.
 */
import { types } from 'node:util';
import { runInNewContext } from 'node:vm';

import { CachalotError, Engine } from '../../lib/index.js';
import { exclusively } from '../../lib/files/exclusively.js';
import { native } from '../../lib/native.js';
import { isRealSignal } from '../../lib/signals/real-signal.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

interface ForeignSignal extends AbortSignal {
  abort(reason?: unknown): void;
}

/** A signal as jsdom has them: of a class of its own, which Node does not know. */
const Foreign = runInNewContext(
  `(class extends EventTarget {
    #state = { aborted: false, reason: undefined };
    get aborted() { return this.#state.aborted; }
    get reason() { return this.#state.reason; }
    abort(reason) {
      this.#state = { aborted: true, reason };
      this.dispatchEvent(new Event('abort'));
    }
  })`,
  { EventTarget, Event },
) as new () => ForeignSignal;

describe('in a realm that is not the addon’s', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.load((await writeTinyModel()).path);
  });
  afterAll(() => engine.dispose());

  test('the addon’s arrays and errors are of another, so these tests show something', async () => {
    const { path } = await writeTinyModel();
    const { metadata } = await native().readGguf(path);
    const types_ = metadata['tokenizer.ggml.token_type'];
    expect([types.isFloat64Array(types_), types_ instanceof Float64Array]).toEqual([true, false]);
    const error: unknown = await native()
      .readGguf('/no/such/file')
      .catch((thrown: unknown) => thrown);
    expect([types.isNativeError(error), error instanceof Error]).toEqual([true, false]);
  });

  test('what users get is of theirs', async () => {
    const [logits] = await engine.logits('the');
    expect(logits).toBeInstanceOf(Float32Array);
    const error: unknown = await engine
      .completeTokens([2 ** 30])
      .result.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CachalotError);
    expect(error).toBeInstanceOf(Error);
  });

  test('a signal of a class that Node does not know ends what it is given to', async () => {
    const signal = new Foreign();
    const running = engine.complete('the', { maxTokens: 400, ignoreEos: true, signal });
    await running.tokens().next();
    signal.abort('why');
    await expect(running.result).rejects.toMatchObject({ code: 'aborted', cause: 'why' });
    await expect(engine.complete('the', { signal }).result).rejects.toMatchObject({
      code: 'aborted',
    });
  });

  test('such a signal ends work under a lock', async () => {
    const signal = new Foreign();
    const work = exclusively(temporaryPath('locked'), signal, async (held) => {
      signal.abort('why');
      return [held.aborted, held.reason] as unknown[];
    });
    expect(await work).toEqual([true, 'why']);
  });

  test.each<[string, () => unknown]>([
    [
      'of a class whose getter answers anybody',
      () =>
        new (class extends EventTarget {
          get aborted() {
            return false;
          }
        })(),
    ],
    [
      'made of the prototype of such a class',
      () => Object.create(Foreign.prototype as object) as unknown,
    ],
    [
      'whose class says no boolean',
      () =>
        new (class extends EventTarget {
          get aborted() {
            return 'no';
          }
        })(),
    ],
    [
      'with a Proxy for its class',
      () => Object.setPrototypeOf({}, new Proxy(AbortSignal.prototype, {})) as unknown,
    ],
    [
      'with an answer of its own',
      () => Object.defineProperty(new Foreign(), 'aborted', { value: false }),
    ],
    [
      'that nobody can listen to',
      () => Object.setPrototypeOf(new Foreign(), { aborted: false }) as unknown,
    ],
  ])('no signal is one %s', (_, make) => {
    expect(isRealSignal(new Foreign())).toBe(true);
    expect(isRealSignal(make())).toBe(false);
  });
});

describe('two copies of the package', () => {
  const other = () => {
    let copy: typeof import('../../lib/errors.js') | undefined;
    jest.isolateModules(() => (copy = jest.requireActual('../../lib/errors.js')));
    return copy!.CachalotError;
  };

  test('know each other’s errors', () => {
    const Other = other();
    expect(Other).not.toBe(CachalotError);
    expect(new Other('io', 'no')).toBeInstanceOf(CachalotError);
    expect(new CachalotError('io', 'no')).toBeInstanceOf(Other);
  });

  test('take nothing else for one, and classes that extend it are no wider', () => {
    class Own extends CachalotError {}
    const plain: unknown[] = [
      new Error('no'),
      null,
      'io',
      Object.create(CachalotError.prototype),
      new Proxy(new Own('io', 'no'), {}),
    ];
    expect(plain.map((value) => value instanceof CachalotError)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
    expect([
      new Own('io', 'no') instanceof CachalotError,
      new CachalotError('io', 'no') instanceof Own,
    ]).toEqual([true, false]);
    expect(Object.keys(new CachalotError('io', 'no'))).not.toContain(
      'Symbol(cachalot.CachalotError)',
    );
  });
});
