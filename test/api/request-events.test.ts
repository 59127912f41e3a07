/** What node:diagnostics_channel tells of requests. */
import { spawnSync } from 'node:child_process';
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';

import { Engine } from '../../lib/index.js';
import type { RequestEvent } from '../../lib/index.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';

const NAMES = ['queued', 'started', 'first-token', 'finished'].map(
  (name) => `cachalot:request:${name}`,
);

type Told = RequestEvent & { name: string };
let told: Told[];
const listen = (message: unknown, name: string | symbol) => {
  told.push({ ...(message as RequestEvent), name: String(name).replace('cachalot:request:', '') });
};
const names = (events: Told[]) => events.map(({ name }) => name);

let engine: Engine;
let path: string;
beforeAll(async () => {
  const template = '{% for m in messages %}{{ m.content }}{% endfor %}';
  ({ path } = await writeTinyModel({ template }));
  engine = await Engine.load(path);
});
afterAll(() => engine.dispose());
beforeEach(() => {
  engine.clearCache();
  told = [];
  for (const name of NAMES) subscribe(name, listen);
});
afterEach(() => {
  for (const name of NAMES) unsubscribe(name, listen);
});

test('a generation is told of four times, with the counts and times of its result', async () => {
  const tokens = engine.tokenize('the inn the inn', { bos: true });
  const result = await engine.complete('the inn the inn', { maxTokens: 5, ignoreEos: true }).result;
  expect(names(told)).toEqual(['queued', 'started', 'first-token', 'finished']);
  expect(new Set(told.map(({ id }) => id)).size).toBe(1);
  for (const event of told)
    expect(event).toMatchObject({ kind: 'complete', promptTokens: tokens.length });
  const [queued, started, first, finished] = told;
  expect(queued).toMatchObject({ cachedTokens: 0, completionTokens: 0, queuedMs: 0 });
  expect(started!.queuedMs).toBe(result.timings.queuedMs);
  expect(first).toMatchObject({ completionTokens: 1, decodeMs: 0 });
  expect(first!.prefillMs).toBeGreaterThan(0);
  expect(finished).toMatchObject({ ...result.usage, ...result.timings, finishReason: 'length' });
});

test('what was found in the cache is told when the request starts', async () => {
  const ids = Array.from({ length: 70 }, (_, i) => 3 + (i % 20));
  await engine.completeTokens(ids, { maxTokens: 1, ignoreEos: true }).result;
  told = [];
  const { usage } = await engine.completeTokens(ids, { maxTokens: 1, ignoreEos: true }).result;
  expect(usage.cachedTokens).toBeGreaterThan(0);
  expect(told.find(({ name }) => name === 'started')).toMatchObject({
    cachedTokens: usage.cachedTokens,
    promptTokens: 70,
  });
});

test('each way to ask has its kind, and what generates nothing ends with "done"', async () => {
  const few = { maxTokens: 2, ignoreEos: true };
  const messages = [{ role: 'user' as const, content: 'the inn' }];
  await engine.chat(messages, few).result;
  await engine.createSession().chat('the inn', few).result;
  await engine.createSession().complete('the inn', few).result;
  await engine.createBatch(['the inn', 'a'], few).results();
  await engine.score('the inn');
  await engine.logits('the inn');
  await engine.cache.add('the inn');
  const finished = told.filter(({ name }) => name === 'finished');
  expect(finished.map(({ kind }) => kind)).toEqual([
    'chat',
    'chat',
    'complete',
    'batch',
    'batch',
    'score',
    'logits',
    'cache',
  ]);
  expect(finished.map(({ finishReason }) => finishReason)).toEqual([
    ...Array<string>(5).fill('length'),
    ...Array<string>(3).fill('done'),
  ]);
  expect(new Set(finished.map(({ id }) => id)).size).toBe(8);
});

test('a request that fails ends with the code of its error, and one that its reader leaves as aborted', async () => {
  const long = { maxTokens: 400, ignoreEos: true };
  const controller = new AbortController();
  const failing = engine.complete('the inn', { ...long, signal: controller.signal });
  await failing.tokens().next();
  controller.abort();
  await failing.result.catch(() => undefined);
  const left = engine.complete('the inn', long);
  for await (const { id } of left.tokens()) if (id >= 0) break;
  const finished = told.filter(({ name }) => name === 'finished');
  expect(finished[0]).toMatchObject({ errorCode: 'aborted', promptTokens: 5 });
  expect(finished[0]!.prefillMs).toBeGreaterThan(0);
  expect(finished[1]).toMatchObject({ finishReason: 'aborted' });
  expect(finished.length).toBe(2);
});

test('a request that the engine never gets is not told of', async () => {
  await engine.complete('the inn', { signal: AbortSignal.abort() }).result.catch(() => undefined);
  await engine.complete('the '.repeat(100_000)).result.catch(() => undefined);
  expect(told).toEqual([]);
});

test('no event holds a word of what was asked or answered', async () => {
  const { text } = await engine.complete('the inn', { maxTokens: 8, ignoreEos: true }).result;
  expect(text).not.toBe('');
  for (const { name, kind, finishReason, ...rest } of told) {
    expect([kind, finishReason ?? name]).toEqual(['complete', finishReason ? 'length' : name]);
    expect(Object.values(rest).every((value) => typeof value === 'number')).toBe(true);
  }
});

test('a request is told of whole or not at all: one that began unheard stays so', async () => {
  for (const name of NAMES) unsubscribe(name, listen);
  const generation = engine.complete('the inn', { maxTokens: 50, ignoreEos: true });
  await generation.tokens().next();
  for (const name of NAMES) subscribe(name, listen);
  await generation.result;
  expect(told).toEqual([]);
  expect(channel(NAMES[0]!).hasSubscribers).toBe(true);
});

test('a listener that throws harms no request: Node throws it later', () => {
  const script = `
    const { subscribe } = require('node:diagnostics_channel');
    const { Engine } = require(process.argv[2]);
    const thrown = [];
    process.on('uncaughtException', ({ message }) => thrown.push(message));
    for (const name of ${JSON.stringify(NAMES)})
      subscribe(name, () => { throw new Error(name); });
    Engine.load(process.argv[1]).then(async (engine) => {
      const { tokens } = await engine.complete('the inn', { maxTokens: 3, ignoreEos: true }).result;
      await engine.dispose();
      console.log(JSON.stringify({ tokens: tokens.length, thrown }));
    });`;
  const index = join(__dirname, '../../dist/index.js');
  const { stdout } = spawnSync(process.execPath, ['-e', script, path, index], { encoding: 'utf8' });
  expect(JSON.parse(stdout)).toEqual({ tokens: 3, thrown: NAMES });
});
