/** Whatever is given to whatever method: it is used, or refused by name. Nothing is "internal", and nothing is read twice. */
import { setImmediate as turn } from 'node:timers/promises';

import { CachalotError, Engine, describeSharing, pull } from '../../lib/index.js';
import type { LoadOptions } from '../../lib/index.js';
import { HOSTILE_VALUES } from '../fixtures/hostile-values.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

type Use = (value: never) => unknown;

let engine: Engine;
let path: string;
beforeAll(async () => {
  const template = "{% for m in messages %}{{ m['content'] }}{% endfor %}";
  ({ path } = await writeTinyModel({ template }));
  engine = await Engine.load(path, { layoutCache: false });
});
afterAll(() => engine.dispose());

const one = { maxTokens: 1 };
const say = (content: unknown, role: unknown = 'user') =>
  engine.chat([{ role: role as 'user', content: content as string }], one).result;
const batch = async (items: unknown, options = {}) => {
  const results = await engine.createBatch(items as string[], { ...one, ...options }).results();
  for (const { error } of results) if (error) throw error;
};
const load = async (model: string, options: LoadOptions) => {
  await (await Engine.load(model, options)).dispose();
};

const USES: Record<string, Use> = {
  complete: (text) => engine.complete(text, one).result,
  'options of complete': (options) => engine.complete('the', options).result,
  completeTokens: (tokens) => engine.completeTokens(tokens, one).result,
  'options of completeTokens': (options) => engine.completeTokens([3], options).result,
  chat: (messages) => engine.chat(messages, one).result,
  'a message': (message) => engine.chat([message], one).result,
  'a role': (role) => say('the', role),
  'a content': (content) => say(content),
  'a part': (part) => say([part]),
  'the text of a part': (text) => say([{ type: 'text', text }]),
  score: (input) => engine.score(input),
  'options of score': (options) => engine.score('the inn', options),
  logits: (input) => engine.logits(input),
  'options of logits': (options) => engine.logits('the inn', options),
  'rows of logits': (rows) => engine.logits('the inn', { rows }),
  tokenize: (text) => engine.tokenize(text),
  'options of tokenize': (options) => engine.tokenize('the', options),
  detokenize: (tokens) => engine.detokenize(tokens),
  createSession: (options) => engine.createSession(options),
  'chat of a session': (text) => engine.createSession().chat(text, one).result,
  'complete of a session': (text) => engine.createSession().complete(text, one).result,
  'options of a session': (options) => engine.createSession().chat('the', options).result,
  'edit of a session': (text) => engine.createSession().edit(text, one).result,
  'rewind of a session': (turns) => engine.createSession().rewind(turns),
  createBatch: (items) => batch(items),
  'options of createBatch': (options) => engine.createBatch(['the'], options),
  'an item': (item) => batch([item]),
  'add of the cache': (input) => engine.cache.add(input),
  'options of add': (options) => engine.cache.add('the', options),
  'pin of the cache': (context) => engine.cache.pin(context),
  'release of the cache': (context) => engine.cache.release(context),
  'a model': (model) => load(model, {}),
  'options of load': (options) => load(path, options),
  pull: (model) => pull(model),
  'options of pull': (options) => pull(temporaryPath('none.gguf'), options),
  describeSharing: (steps) => describeSharing(steps),
};

const withKey = (name: string, key: string, use: (options: never) => unknown): [string, Use] => [
  `${key} of ${name}`,
  (value: never) => use({ [key]: value } as never),
];

const KEYS: [string, Use][] = [
  ...[
    'temperature',
    'dry',
    'logitBias',
    'stop',
    'stopTokens',
    'namespace',
    'signal',
    'context',
  ].map((key) =>
    withKey('complete', key, (own: object) => engine.complete('the', { ...one, ...own }).result),
  ),
  ...['breakers', 'multiplier'].map((key) =>
    withKey('dry', key, (dry) => engine.complete('the', { ...one, dry }).result),
  ),
  ...['system', 'messages', 'context', 'namespace'].map((key) =>
    withKey('createSession', key, (own) => engine.createSession(own)),
  ),
  ...['prompt', 'tokens'].map((key) => withKey('an item', key, (item) => batch([item]))),
  ...['context', 'signal', 'namespace', 'stop'].map((key) =>
    withKey('an item', key, (own: object) => batch([{ prompt: 'the', ...own }])),
  ),
  ...['n', 'bestOf', 'order', 'schedule'].map((key) =>
    withKey('createBatch', key, (own) => batch(['the'], own)),
  ),
  ...['pin', 'priority', 'ttlMs', 'namespace', 'signal', 'onProgress'].map((key) =>
    withKey('add', key, (own) => engine.cache.add('the', own)),
  ),
  ...['device', 'threads', 'kv', 'namespace', 'tokenizer', 'layoutCache', 'signal'].map((key) =>
    withKey('load', key, (own: object) => load(path, { layoutCache: false, ...own })),
  ),
];

test.each([...Object.entries(USES), ...KEYS])(
  '%s: whatever is given is used, or refused by name',
  async (_, use) => {
    for (const [name, make] of Object.entries(HOSTILE_VALUES)) {
      let error: unknown;
      try {
        await use(make() as never);
      } catch (thrown) {
        error = thrown;
      }
      if (error === undefined) continue;
      expect([name, error]).toEqual([name, expect.any(CachalotError)]);
      expect([name, (error as CachalotError).code]).not.toEqual([name, 'internal']);
    }
    await turn(); // what nobody has heard of would fail this test
  },
);

describe('what is given is read once', () => {
  /** Counts how often each key is read. */
  const counted = <T extends object>(target: T, reads: Map<string, number>, prefix = ''): T =>
    new Proxy(target, {
      get: (object, key) => {
        const value: unknown = Reflect.get(object, key);
        if (typeof key === 'symbol') return value;
        const name = prefix + key;
        reads.set(name, (reads.get(name) ?? 0) + 1);
        const isPlain = typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
        const isCopied = isPlain && !(value instanceof AbortSignal);
        return isCopied ? counted(value, reads, `${name}.`) : value;
      },
    });
  const options = () => ({
    ...one,
    temperature: 0.5,
    seed: 1,
    stop: ['END'],
    stopTokens: [7],
    logitBias: { 5: 1 },
    dry: { multiplier: 0.5, breakers: ['\n'] },
    namespace: 'n',
    signal: new AbortController().signal,
  });
  const messages = () => [
    { role: 'user' as const, content: [{ type: 'text' as const, text: 'the' }] },
  ];

  test.each<[string, object, (given: never) => unknown]>([
    ['options of complete', options(), (given) => engine.complete('the', given).result],
    ['messages', messages(), (given) => engine.chat(given, one).result],
    ['messages to cache', messages(), (given) => engine.cache.add(given)],
    ['options of a batch', { ...options(), n: 2 }, (given) => batch(['the'], given)],
    [
      'an item',
      { ...options(), prompt: messages() },
      (given) => engine.createBatch([given]).results(),
    ],
    ['prompts', ['the', { tokens: [3, 4] }], (given) => batch(given)],
    [
      'options of a session',
      { system: 'a', messages: messages() },
      (given) => engine.createSession(given),
    ],
    [
      'options of a turn',
      { ...one, specialTokens: true },
      (given) => engine.createSession().chat('a', given).result,
    ],
    ['options of logits', { rows: [0, 1] }, (given) => engine.logits('the inn', given)],
    [
      'options of load',
      {
        kv: { bytes: 1 << 20 },
        layoutCache: { maxBytes: 0 },
        tokenizer: undefined,
        namespace: 'n',
        threads: 1,
      },
      (given) => load(path, given),
    ],
  ])('%s', async (_, given, use) => {
    const reads = new Map<string, number>();
    await use(counted(given, reads) as never);
    expect([...reads.keys()].length).toBeGreaterThan(1);
    expect([...reads].filter(([, n]) => n > 1)).toEqual([]);
  });

  test('rows that are others at the second look are those of the first', async () => {
    const looks = [[0], [-1]];
    const logits = await engine.logits([3, 4], {
      get rows() {
        return looks.shift()!;
      },
    });
    expect(logits).toEqual(await engine.logits([3, 4], { rows: [0] }));
    await expect(engine.logits([3, 4], { rows: [2] })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  test('lists that change after the call change nothing', async () => {
    const list = new Int32Array(new SharedArrayBuffer(12));
    list.set([3, 4, 5]);
    const tokens = list as unknown as number[];
    const stop = ['never said'];
    const prompts = [{ tokens, ...one }];
    const [first, [second]] = await Promise.all([
      (() => {
        const running = engine.completeTokens(tokens, { maxTokens: 4, stop }).result;
        const batched = engine.createBatch(prompts).results();
        tokens.fill(-1);
        stop.fill('');
        prompts.pop();
        return Promise.all([running, batched]).then(([result, results]) => ({ result, results }));
      })(),
      Promise.all([engine.completeTokens([3, 4, 5], { maxTokens: 4 }).result]),
    ]);
    expect(first.result.tokens).toEqual(second.tokens);
    expect(first.results[0]).toMatchObject({ tokens: second.tokens.slice(0, 1) });
  });
});

test('what somebody puts on the prototype of all objects is no option', async () => {
  const plain = await engine.complete('the', { maxTokens: 4 }).result;
  const ids = engine.tokenize('</s>');
  const evil = {
    temperature: NaN,
    maxTokens: 1,
    stop: 'x',
    stopTokens: [3, 4, 5],
    namespace: 5,
    context: {},
    special: true,
    specialTokens: true,
    ignoreEos: 'yes',
    dry: { multiplier: 9 },
    logitBias: { 1: 5 },
    rows: [-1],
    n: 5,
    priority: -1,
  };
  const root = Object.prototype as Record<string, unknown>;
  let results: unknown[];
  try {
    for (const [key, value] of Object.entries(evil))
      Object.defineProperty(root, key, { value, configurable: true, writable: true });
    const batched = await engine.createBatch([{ prompt: 'the' }], { maxTokens: 4 }).results();
    const { text } = await engine.complete('the', { maxTokens: 4 }).result;
    const { usage } = await engine.chat([{ role: 'user', content: '</s>' }], one).result;
    results = [text, batched.length, batched[0]!.text, engine.tokenize('</s>'), usage.promptTokens];
    await engine.logits('the inn');
    await engine.cache.add('the inn');
  } finally {
    for (const key of Object.keys(evil)) delete root[key];
  }
  expect(results).toEqual([plain.text, 1, plain.text, ids, ids.length + 1]);
});

describe('names and paths that are no Unicode text are refused, as they could become equal', () => {
  const half = 'tenant \ud800';
  test.each<[string, () => unknown]>([
    ['of an engine', () => load(path, { namespace: half })],
    ['of a session', () => engine.createSession({ namespace: half })],
    ['of a request', () => engine.complete('the', { namespace: half })],
    ['of an item', () => batch([{ prompt: 'the', namespace: half }])],
    ['of a batch', () => engine.createBatch(['the'], { namespace: half })],
    ['of the cache', () => engine.cache.add('the', { namespace: half })],
    ['of a score', () => engine.score('the', { namespace: half })],
    ['of logits', () => engine.logits('the', { namespace: half })],
    ['a model', () => Engine.load(half)],
    ['a model to fetch', () => pull(half)],
    ['a tokenizer', () => load(path, { tokenizer: half })],
    ['a model with NUL', () => Engine.load(`${path}\0.gguf`)],
    ['a tokenizer with NUL', () => load(path, { tokenizer: `${path}\0` })],
    ['a stop string', () => engine.complete('the', { stop: '\ude00' })],
  ])('%s', async (_, use) => {
    await expect((async () => use())()).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('text may hold anything: what is no character becomes one that says so', () => {
    expect(engine.detokenize(engine.tokenize('a\ud800'))).toBe(' a\ufffd');
  });
});
