/** The addon by itself, without lib/ before it: what would make it read out of bounds is refused, by name. */
import type { NativeEngine, NativeEngineOptions, NativeEvents } from '../../lib/native.js';
import { native } from '../../lib/native.js';
import { nativeOptionsOf } from '../../lib/engine/native-options.js';
import { readLoadOptions } from '../../lib/options/load-options.js';
import { GREEDY } from '../../lib/options/sampling-options.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import { nativeRequest } from '../testing/native-request.js';

const CONTEXT = 128;
let path: string;
let vocabulary: number;
let engine: NativeEngine;
let ends: Map<number, (reason: string) => void>;

const options: NativeEngineOptions = {
  ...nativeOptionsOf(
    readLoadOptions({ contextLength: CONTEXT, sharedReads: 'always', checkInvariants: true }),
  ),
  costsFolder: '',
};
const hear = ({ finished }: NativeEvents) => {
  for (const { id, reason } of finished) ends.get(id)?.(reason);
};

beforeAll(async () => {
  ({ path } = await writeTinyModel({ shape: { context: CONTEXT } }));
  ends = new Map();
  engine = await native().load(path, options, hear);
  ({ vocabulary } = engine.description());
  engine.keepAlive(true);
});
afterAll(() => engine.dispose());

let lastId = 0;
const request = () => ({
  ...nativeRequest(++lastId, [3, 4, 5, 6]),
  maxTokens: 2,
  sampling: { ...GREEDY, temperature: 0.5 },
});

/** As JavaScript sees it, with whatever JavaScript may bring. */
const submit = (given: unknown) => {
  (engine.submit as (request: unknown) => void)(given);
};
const codeOf = (call: () => void) => {
  try {
    call();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return 'nothing was thrown';
};

/** That the engine is sound: what is right is still answered. */
const answers = () =>
  new Promise<string>((resolve) => {
    const right = request();
    ends.set(right.id, resolve);
    submit(right);
  });

const detached = (array: Int32Array<ArrayBuffer>) => {
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
};
const shrunk = () => {
  const made: unknown = Reflect.construct(ArrayBuffer, [16, { maxByteLength: 64 }]);
  const buffer = made as ArrayBuffer & { resize(bytes: number): void };
  const array = new Int32Array(buffer);
  buffer.resize(0);
  return array;
};
const noNumbers = [
  NaN,
  Infinity,
  -Infinity,
  1e300,
  -1e300,
  0.5,
  '5',
  null,
  undefined,
  {},
  [],
  5n,
  true,
];
const noArrays = [
  undefined,
  null,
  [1, 2],
  'abc',
  {},
  new Float32Array(4),
  new Uint8Array(4),
  new BigInt64Array(2),
  new DataView(new ArrayBuffer(16)),
];
/** A plain reading of a value in a test's title. */
const named = <T>(values: T[]) =>
  values.map(
    (value) =>
      [typeof value === 'bigint' ? '5n' : (JSON.stringify(value) ?? 'undefined'), value] as const,
  );

describe('numbers of a request', () => {
  const fields = [
    'id',
    'maxTokens',
    'pin',
    'priority',
    'ttlMs',
    'deadlineMs',
    'batch',
    'batchRank',
  ];
  test.each(fields)('%s is a whole number within its range', async (field) => {
    for (const value of [...noNumbers, -1])
      expect([value, codeOf(() => submit({ ...request(), [field]: value }))]).toEqual([
        value,
        'invalid_argument',
      ]);
    expect(await answers()).toBe('length');
  });

  test('beyond the range of the field', () => {
    for (const wrong of [
      { priority: 101 },
      { maxTokens: 2 ** 31 },
      { batchRank: 2 ** 31 },
      { id: 2 ** 54 },
      { deadlineMs: 2 ** 54 },
    ])
      expect([wrong, codeOf(() => submit({ ...request(), ...wrong }))]).toEqual([
        wrong,
        'invalid_argument',
      ]);
  });
});

describe('numbers of sampling', () => {
  const whole = [
    'penaltyWindow',
    'dryAllowedLength',
    'dryWindow',
    'topK',
    'seed',
    'completion',
    'topLogprobs',
  ];
  const real = [
    'repetitionPenalty',
    'frequencyPenalty',
    'presencePenalty',
    'dryMultiplier',
    'dryBase',
    'temperature',
    'typicalP',
    'topP',
    'minP',
  ];
  const refused = (field: string, value: unknown) =>
    codeOf(() => submit({ ...request(), sampling: { ...GREEDY, [field]: value } }));

  test.each(whole)('%s is a whole number within its range', (field) => {
    for (const value of [...noNumbers, -1])
      expect([value, refused(field, value)]).toEqual([value, 'invalid_argument']);
  });
  test.each(real)('%s is a finite number', (field) => {
    for (const value of noNumbers.filter((value) => value !== 0.5))
      expect([value, refused(field, value)]).toEqual([value, 'invalid_argument']);
  });
  test('out of range', () => {
    for (const [field, value] of [
      ['temperature', -1],
      ['topP', -0.1],
      ['topP', 1.5],
      ['minP', 2],
      ['typicalP', -1],
      ['repetitionPenalty', 0],
      ['topLogprobs', 21],
      ['dryAllowedLength', 0],
    ] as const)
      expect([field, value, refused(field, value)]).toEqual([field, value, 'invalid_argument']);
  });
});

describe('arrays', () => {
  test.each(['tokens', 'stopTokens', 'rows'])('%s is an Int32Array', (field) => {
    for (const value of noArrays)
      expect([value, codeOf(() => submit({ ...request(), [field]: value }))]).toEqual([
        value,
        'invalid_argument',
      ]);
  });
  test.each(['biasTokens', 'dryBreakers'])('%s of sampling is an Int32Array', (field) => {
    for (const value of noArrays)
      expect([
        value,
        codeOf(() => submit({ ...request(), sampling: { ...GREEDY, [field]: value } })),
      ]).toEqual([value, 'invalid_argument']);
  });
  test('each bias has a token of the vocabulary, and is a number or -Infinity', async () => {
    const bias = (tokens: number[], values: ArrayLike<number>) => () =>
      submit({
        ...request(),
        sampling: { ...GREEDY, biasTokens: Int32Array.from(tokens), biasValues: values },
      });
    for (const call of [
      bias([5, 6, 7], Float32Array.of(1)),
      bias([], Float32Array.of(1)),
      bias([5], Float64Array.of(1)),
      bias([-1], Float32Array.of(1)),
      bias([vocabulary], Float32Array.of(1)),
      bias([5], Float32Array.of(NaN)),
      bias([5], Float32Array.of(Infinity)),
    ])
      expect(codeOf(call)).toBe('invalid_argument');
    expect(codeOf(bias([5], Float32Array.of(-Infinity)))).toBe('nothing was thrown');
    expect(await answers()).toBe('length');
  });
  test('of which nothing is left are empty', () => {
    for (const tokens of [detached(Int32Array.of(3, 4, 5)), shrunk(), new Int32Array(0)])
      expect(codeOf(() => submit({ ...request(), tokens }))).toBe('invalid_argument');
  });
  test('breakers that do not ascend are refused', () => {
    const sampling = { ...GREEDY, dryMultiplier: 1, dryBreakers: Int32Array.of(9, 3) };
    expect(codeOf(() => submit({ ...request(), sampling }))).toBe('invalid_argument');
  });
});

test.each([[-1], [-(2 ** 31)], [2 ** 31 - 1]])('the token %d is not of the vocabulary', (token) => {
  expect(codeOf(() => submit({ ...request(), tokens: Int32Array.of(3, token) }))).toBe(
    'invalid_argument',
  );
});

test('rows of logits are ascending indices of tokens', async () => {
  for (const rows of [[], [-1], [4], [0, 0], [2, 1], [0, 2 ** 31 - 1], [-(2 ** 31), 1]])
    expect([
      rows,
      codeOf(() => submit({ ...request(), kind: 'logits', rows: Int32Array.from(rows) })),
    ]).toEqual([rows, 'invalid_argument']);
  expect(await answers()).toBe('length');
});

test('a prompt that fills the context has no room for an answer', () => {
  const tokens = new Int32Array(CONTEXT).fill(5);
  expect(codeOf(() => submit({ ...request(), tokens }))).toBe('context_overflow');
});

test('a request is an object, and its kind a known one', () => {
  for (const value of [undefined, null, 5, 'request', [], {}])
    expect([value, codeOf(() => submit(value))]).toEqual([value, 'invalid_argument']);
  for (const kind of ['', 'Generate', undefined, 7])
    expect([kind, codeOf(() => submit({ ...request(), kind }))]).toEqual([
      kind,
      'invalid_argument',
    ]);
});

test('a getter is asked once, and may end the engine', async () => {
  const other = await native().load(path, options, () => undefined);
  let disposed: Promise<void> | undefined;
  let asked = 0;
  const given = {
    ...request(),
    kind: 'logits',
    get rows() {
      asked++;
      disposed = other.dispose();
      return Int32Array.of(asked === 1 ? 0 : -1);
    },
  };
  expect(codeOf(() => (other.submit as (request: unknown) => void)(given))).toBe('disposed');
  expect(asked).toBe(1);
  await disposed;
});

test.each(named(noNumbers))('%s is no id, pin, batch or rank', (_, value) => {
  const wild = engine as unknown as Record<string, (...values: unknown[]) => void>;
  for (const name of ['cancel', 'unpin', 'skipBatchItem', 'beginBatch'])
    expect([name, codeOf(() => wild[name]!(value, new Int32Array(1)))]).toEqual([
      name,
      'invalid_argument',
    ]);
  expect(codeOf(() => wild['skipBatchItem']!(1, value))).toBe('invalid_argument');
});

test('a batch has a number, and counts that are not negative', async () => {
  for (const [batch, shared] of [
    [0, Int32Array.of(1)],
    [1, Int32Array.of(-1)],
    [1, [1, 2]],
    [1, undefined],
  ])
    expect(codeOf(() => engine.beginBatch(batch as number, shared as Int32Array))).toBe(
      'invalid_argument',
    );
  engine.skipBatchItem(77, 5); // of no batch
  engine.cancel(2 ** 50);
  engine.unpin(2 ** 50);
  expect(await answers()).toBe('length');
});

test('prompts to be grouped are arrays, and one that was refused leaves nothing behind', async () => {
  const orderer = new (native().PromptOrderer)();
  orderer.add(Int32Array.of(3, 4), 5);
  for (const [tokens, most] of [
    [[1], 5],
    [Int32Array.of(1), NaN],
    [Int32Array.of(1), 2 ** 31],
  ])
    expect(codeOf(() => orderer.add(tokens as Int32Array, most as number))).toBe(
      'invalid_argument',
    );
  expect(Array.from((await orderer.order()).order)).toEqual([0]);
});

test('options of a load are checked, and what is wrong rejects', async () => {
  const refused = async (wrong: Record<string, unknown>) =>
    native()
      .load(path, { ...options, ...wrong }, hear)
      .then(
        () => 'loaded',
        (error: { code?: unknown }) => error.code,
      );
  for (const field of ['threads', 'contextLength', 'stepTokens', 'kvBytes'])
    for (const value of [NaN, 1e300, -1, 0.5, '1', undefined])
      expect([field, value, await refused({ [field]: value })]).toEqual([
        field,
        value,
        'invalid_argument',
      ]);
  for (const wrong of [
    { stepTokens: 0 },
    { stepTokens: 2 ** 31 - 1 },
    { threads: 2 ** 31 - 1 },
    { device: 'cuda:99999999999' },
    { device: 'cuda:-1' },
    { device: 7 },
    { maxStepMs: NaN },
    { kvFormat: 'f64' },
  ])
    expect([wrong, await refused(wrong)]).toEqual([wrong, 'invalid_argument']);
  expect(
    await native()
      .load(7 as never, options, hear)
      .catch(({ code }: { code: unknown }) => code),
  ).toBe('invalid_argument');
  expect(
    await native()
      .load(path, options, undefined as never)
      .catch(({ code }: { code: unknown }) => code),
  ).toBe('invalid_argument');
});

test('more memory for keys and values than the process can have is refused with the number', async () => {
  const limit = native().memoryLimit();
  await expect(
    native().load(path, { ...options, device: 'cpu', kvBytes: limit + 1 }, hear),
  ).rejects.toMatchObject({
    code: 'invalid_argument',
    message: expect.stringContaining(String(limit)) as string,
  });
  expect(() =>
    nativeOptionsOf(readLoadOptions({ device: 'cpu', kv: { bytes: limit + 1 } })),
  ).toThrow(`\`kv.bytes\``);
  expect(() =>
    nativeOptionsOf(readLoadOptions({ device: 'cpu', kv: { bytes: limit + 1 } })),
  ).toThrow(String(limit));
  expect(
    nativeOptionsOf(readLoadOptions({ device: 'cuda', kv: { bytes: limit + 1 } })).kvBytes,
  ).toBe(limit + 1); // the GPU's own
});
