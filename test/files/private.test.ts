/** What we make is for its owner alone, and what others can have written is not trusted. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { Engine } from '../../lib/index.js';
import { saveConversation } from '../../lib/cli/conversation-file.js';
import { FileLock } from '../../lib/files/lock.js';
import { isOnlyOurs } from '../../lib/files/private.js';
import { cacheFolder } from '../../lib/models/store/cache-folder.js';
import { layoutsFolder } from '../../lib/models/store/layout-cache.js';
import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const ANOTHER_USER = 12_345;
const onPosix = process.platform === 'win32' ? test.skip : test; // Windows has no such bits
const asRoot = process.geteuid?.() === 0 ? test : test.skip; // only root can give a file away

let model: string;
const home = process.env['XDG_CACHE_HOME'];
beforeAll(async () => void ({ path: model } = await writeTinyModel({ type: 'Q8_0' })));
beforeEach(() => {
  process.env['XDG_CACHE_HOME'] = temporaryPath('cache');
  const now = Date.now.bind(Date);
  jest.spyOn(Date, 'now').mockImplementation(() => now() + 10_000); // the model has settled
});
afterEach(() => {
  jest.restoreAllMocks();
  if (home === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = home;
});

/** Where the weights were. */
async function load(): Promise<string> {
  const engine = await Engine.load(model, { layoutCache: { minBytes: 0 } });
  const { weights } = engine.description;
  await engine.dispose();
  return weights;
}

const only = (folder: string, ending: string) =>
  join(
    folder,
    readdirSync(folder).find((name) => name.endsWith(ending))!,
  );
const layout = () => only(layoutsFolder(), '.layout');
const content = () => only(layoutsFolder(), '.content');
const costs = () => only(join(cacheFolder(), 'costs'), '.txt');
const modeOf = (path: string) => statSync(path).mode & 0o777;

onPosix(
  'whatever a load, a lock or a conversation leaves is closed to others, without a umask',
  async () => {
    const before = process.umask(0);
    try {
      await load();
      const files = [layout(), content(), costs(), temporaryPath('talk.json')];
      await saveConversation(files[3]!, 'model', []);
      const lock = await FileLock.acquire(files[3]!);
      const folders = [cacheFolder(), layoutsFolder(), join(cacheFolder(), 'costs')];
      expect([...files, `${files[3]}.lock`].map(modeOf)).toEqual(Array(5).fill(0o600));
      expect(folders.map(modeOf)).toEqual(Array(3).fill(0o700));
      await lock.release();
    } finally {
      process.umask(before);
    }
  },
);

test.each([
  [0, 0o600, true],
  [0, 0o644, true],
  [0, 0o664, false],
  [0, 0o602, false],
  [1, 0o600, false],
])('a file of user +%d with mode %o: only ours %s', (user, mode, expected) => {
  const us = process.geteuid?.();
  if (us === undefined) return expect(isOnlyOurs({ uid: user, mode })).toBe(true);
  expect(isOnlyOurs({ uid: us + user, mode })).toBe(expected);
});

const byOthers: [string, (path: string) => void][] = [
  ['that its group can write', (path) => chmodSync(path, 0o660)],
  ['that all can write', (path) => chmodSync(path, 0o602)],
];
const byAnother: typeof byOthers = [
  ['of another user', (path) => chownSync(path, ANOTHER_USER, ANOTHER_USER)],
];
const linked: typeof byOthers = [
  [
    'that is a link',
    (path) => {
      const elsewhere = temporaryPath('elsewhere');
      copyFileSync(path, elsewhere);
      chmodSync(elsewhere, 0o600);
      rmSync(path);
      symlinkSync(elsewhere, path);
    },
  ],
];

describe.each<[string, () => string]>([
  ['layout', layout],
  ['note of a content', content],
])('a %s', (_, pathOf) => {
  const isReplaced = async (change: (path: string) => void) => {
    await load();
    expect(await load()).toBe('mapped');
    change(pathOf());
    expect(await load()).toBe('packed');
    expect(modeOf(pathOf())).toBe(0o600);
    expect(statSync(pathOf()).uid).toBe(process.geteuid?.());
    expect(await load()).toBe('mapped');
  };
  onPosix.each([...byOthers.slice(0, 1), ...linked])('%s is not used, and replaced', (__, change) =>
    isReplaced(change),
  );
  asRoot.each(byAnother)('%s is not used, and replaced', (__, change) => isReplaced(change));
});

describe('costs', () => {
  /** A cost that no machine has. */
  const mark = (path: string) => {
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    writeFileSync(path, [...lines.slice(0, -1), '777', ''].join('\n'));
  };
  const isMarked = () => readFileSync(costs(), 'utf8').endsWith('\n777\n');
  const isMeasuredAnew = async (change: (path: string) => void) => {
    await load();
    mark(costs());
    await load();
    expect(isMarked()).toBe(true); // ours are used
    change(costs());
    await load();
    expect(isMarked()).toBe(false);
    expect(modeOf(costs())).toBe(0o600);
  };
  onPosix.each([...byOthers.slice(1), ...linked])('in a file %s are measured anew', (_, change) =>
    isMeasuredAnew(change),
  );
  asRoot.each(byAnother)('in a file %s are measured anew', (_, change) => isMeasuredAnew(change));
  onPosix(
    'in a folder that others can write are measured anew, and the folder is closed',
    async () => {
      await isMeasuredAnew((path) => chmodSync(join(path, '..'), 0o777));
      expect(modeOf(join(cacheFolder(), 'costs'))).toBe(0o700);
    },
  );
});

onPosix('a folder of layouts that others can write is closed, without what is in it', async () => {
  await load();
  const planted = join(layoutsFolder(), 'planted.layout');
  writeFileSync(planted, 'of somebody');
  chmodSync(layoutsFolder(), 0o777);
  expect(await load()).toBe('packed');
  expect(modeOf(layoutsFolder())).toBe(0o700);
  expect(existsSync(planted)).toBe(false);
  expect(await load()).toBe('mapped');
});

asRoot('a folder of layouts of another user is a warning, and nothing is put there', async () => {
  mkdirSync(layoutsFolder(), { recursive: true });
  chownSync(layoutsFolder(), ANOTHER_USER, ANOTHER_USER);
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  expect([await load(), await load()]).toEqual(['packed', 'packed']);
  expect(warn.mock.calls[0]?.[0]).toContain(`others can write to '${layoutsFolder()}'`);
  expect(readdirSync(layoutsFolder())).toEqual([]);
});
