/** Weights that are kept as they were packed: found again, never trusted, never in the way. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Engine } from '../../lib/index.js';
import type { LoadOptions } from '../../lib/index.js';
import { LayoutCache, layoutsFolder } from '../../lib/models/store/layout-cache.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';

const KEEP: LoadOptions = { layoutCache: { minBytes: 0 } };
const PROMPT = [3, 1, 4, 1, 5, 9, 2, 6];

const home = process.env['XDG_CACHE_HOME'];
beforeEach(() => {
  process.env['XDG_CACHE_HOME'] = temporaryPath('cache');
  // A file that has just changed is not hashed, as it could change again with the same time: here it is later.
  const now = Date.now;
  jest.spyOn(Date, 'now').mockImplementation(() => now() + 10_000);
});
afterEach(() => {
  jest.restoreAllMocks();
  if (home === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = home;
});

/** Loads, asks and ends: where the weights were, and what they gave. */
async function load(path: string, options: LoadOptions = KEEP) {
  const engine = await Engine.load(path, options);
  try {
    const [logits] = await engine.logits(PROMPT);
    return { weights: engine.description.weights, logits: Buffer.from(logits!.buffer) };
  } finally {
    await engine.dispose();
  }
}

const layouts = () =>
  existsSync(layoutsFolder())
    ? readdirSync(layoutsFolder()).filter((name) => name.endsWith('.layout'))
    : [];
const layoutPath = () => join(layoutsFolder(), layouts()[0]!);

let settled: string;
beforeAll(async () => {
  ({ path: settled } = await writeTinyModel({ type: 'Q8_0' }));
});

test.each(['Q8_0', 'Q4_K', 'IQ2_XXS'])(
  'the second load of %s maps what the first packed',
  async (type) => {
    const { path } = await writeTinyModel({ type });
    const first = await load(path);
    const second = await load(path);
    expect([first.weights, second.weights]).toEqual(['packed', 'mapped']);
    expect(second.logits.equals(first.logits)).toBe(true);
  },
);

test('models that are not repacked keep nothing', async () => {
  const { path } = await writeTinyModel({ type: 'BF16' });
  expect((await load(path)).weights).toBe('in memory');
  expect(layouts()).toEqual([]);
});

test('a file that changes is packed again, also when its time is set back', async () => {
  const path = temporaryPath('model.gguf');
  copyFileSync(settled, path);
  const time = new Date(2020, 1, 1);
  utimesSync(path, time, time);
  await load(path);
  const { path: other } = await writeTinyModel({ type: 'Q8_0', seed: 99 });
  copyFileSync(other, path);
  utimesSync(path, time, time);
  const changed = await load(path);
  expect(changed.weights).toBe('packed');
  expect(changed.logits.equals((await load(other, { layoutCache: false })).logits)).toBe(true);
});

test('a file that has just been written is not taken for settled', async () => {
  const { path } = await writeTinyModel({ type: 'Q8_0', seed: 5 });
  jest.spyOn(Date, 'now').mockReturnValue(statSync(path).ctimeMs + 100);
  await load(path);
  expect(layouts()).toEqual([]);
});

test('copies of one file share a layout', async () => {
  const copy = temporaryPath('copy.gguf');
  copyFileSync(settled, copy);
  await load(settled);
  expect((await load(copy)).weights).toBe('packed');
  expect((await load(copy)).weights).toBe('mapped');
  expect(layouts()).toHaveLength(1);
});

const flip = (path: string, at: number) => {
  const bytes = readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  writeFileSync(path, bytes);
};

test.each<[string, (path: string) => void]>([
  ['of no bytes', (path) => truncateSync(path, 0)],
  ['cut inside the header', (path) => truncateSync(path, 100)],
  ['cut at its end', (path) => truncateSync(path, readFileSync(path).length - 1)],
  ['with another magic', (path) => flip(path, 0)],
  ['with a damaged header', (path) => flip(path, 60)],
  ['with a damaged weight', (path) => flip(path, -1)],
])('a layout %s is packed again, and replaced', async (_, damage) => {
  const { logits } = await load(settled);
  damage(layoutPath());
  const again = await load(settled);
  expect(again.weights).toBe('packed');
  expect(again.logits.equals(logits)).toBe(true);
  expect((await load(settled)).weights).toBe('mapped');
});

test('random damage never does more than cost time', async () => {
  const { logits } = await load(settled);
  const sound = readFileSync(layoutPath());
  const random = new Random(3);
  for (let round = 0; round < 40; round++) {
    const bytes = Buffer.from(sound);
    const inHeader = round % 2 === 0;
    for (let i = 0; i < 1 + random.below(4); i++)
      bytes[random.below(inHeader ? 600 : bytes.length)] = random.below(256);
    writeFileSync(
      layoutPath(),
      round % 5 === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes,
    );
    expect((await load(settled)).logits.equals(logits)).toBe(true);
  }
});

test('nothing is kept when it is not wanted, or too small, or too large', async () => {
  await load(settled, { layoutCache: false });
  await load(settled, {});
  await load(settled, { layoutCache: { minBytes: 0, maxBytes: 1000 } });
  expect(layouts()).toEqual([]);
});

test('the layout that was used longest ago goes first', async () => {
  const others = await Promise.all(
    [11, 12].map(async (seed) => (await writeTinyModel({ type: 'Q8_0', seed })).path),
  );
  await load(settled);
  const [{ bytes } = { bytes: 0 }] = await new LayoutCache().list();
  const room: LoadOptions = { layoutCache: { minBytes: 0, maxBytes: 2 * bytes } };
  await load(others[0]!, room);
  await sleep(20);
  await load(settled, room); // used again
  await sleep(20);
  await load(others[1]!, room);
  expect(layouts()).toHaveLength(2);
  expect((await load(settled, room)).weights).toBe('mapped');
  expect((await load(others[0]!, room)).weights).toBe('packed');
});

test('what killed processes left is swept away, what others are writing is not', async () => {
  mkdirSync(layoutsFolder(), { recursive: true });
  const left = ['x.layout.1.0.tmp', '.cachalot-0a.part'].map((name) => join(layoutsFolder(), name));
  const written = join(layoutsFolder(), 'z.layout.1.0.tmp');
  for (const path of [...left, written]) writeFileSync(path, 'half');
  const earlier = new Date(Date.now() - 3_600_000);
  for (const path of left) utimesSync(path, earlier, earlier);
  await load(settled);
  expect([...left, written].map((path) => existsSync(path))).toEqual([false, false, true]);
});

test('a file that is exchanged while it is loaded is neither mapped nor kept', async () => {
  const { path: other } = await writeTinyModel({ type: 'Q8_0', seed: 77 });
  const link = temporaryPath('link.gguf');
  copyFileSync(settled, link);
  await load(link);
  const expected = (await load(other, { layoutCache: false })).logits;
  // The cache sees the old file, the loader the new one.
  const found = await new LayoutCache().find(link);
  const spy = jest.spyOn(LayoutCache.prototype, 'find').mockImplementationOnce(() => {
    copyFileSync(other, link);
    return Promise.resolve(found);
  });
  const exchanged = await load(link);
  spy.mockRestore();
  expect(exchanged.weights).toBe('packed');
  expect(exchanged.logits.equals(expected)).toBe(true);
  expect((await load(link)).logits.equals(expected)).toBe(true);
});

test('engines that load at once keep one layout', async () => {
  const warn = jest.spyOn(process, 'emitWarning');
  await Promise.all([1, 2, 3].map(() => load(settled)));
  expect(layouts()).toHaveLength(1);
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
  expect((await load(settled)).weights).toBe('mapped');
});

test('a folder that cannot be written is a warning', async () => {
  writeFileSync(process.env['XDG_CACHE_HOME']!, 'a file, where a folder should be');
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  expect((await load(settled)).weights).toBe('packed');
  expect(warn.mock.calls[0]?.[0]).toContain('will repack its weights');
  warn.mockRestore();
});

test('clear deletes all of it', async () => {
  await load(settled);
  expect(await new LayoutCache().clear()).toBeGreaterThan(1000);
  expect(layouts()).toEqual([]);
});

test.each([
  [{ layoutCache: 'yes' }, '`layoutCache`'],
  [{ layoutCache: { maxBytes: -1 } }, '`layoutCache.maxBytes`'],
  [{ layoutCache: { size: 1 } }, '`layoutCache.size`'],
])('%j is refused', async (options, name) => {
  await expect(Engine.load(settled, options as LoadOptions)).rejects.toMatchObject({
    code: 'invalid_argument',
    message: expect.stringContaining(name) as string,
  });
});
