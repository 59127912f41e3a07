/** Locks between processes: nobody waits for who is not there, and nobody takes what is held. */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { FileLock } from '../../lib/files/lock.js';
import { LockWatch, newRecord } from '../../lib/files/lock-file.js';
import type { LockHolder, LockPeriods } from '../../lib/files/lock-file.js';
import { exclusively } from '../../lib/files/exclusively.js';
import * as identity from '../../lib/files/process-identity.js';
import { temporaryPath } from '../fixtures/tiny-model.js';
import { startProcess } from './lock-holder.js';

/** A junk lock goes at the second or third look; a holder that is there stays for ever. */
const QUICK: LockPeriods = { beatMs: 1e6, pollMs: 2, staleMs: 4, stuckMs: 1e9 };
/** Nothing is stale. */
const PATIENT: LockPeriods = { ...QUICK, staleMs: 1e9 };

/** In a folder of its own. */
function freshPath(): string {
  const folder = temporaryPath('folder');
  mkdirSync(folder);
  return join(folder, 'file');
}

const record = (changes: Partial<ReturnType<typeof newRecord>> = {}) =>
  JSON.stringify({ ...newRecord('another'), ...changes });

const take = async (path: string, periods = QUICK) => {
  const told: LockHolder[] = [];
  const lock = await FileLock.acquire(path, { periods, onWait: (holder) => told.push(holder) });
  await lock.release();
  return told;
};

describe('a lock that nobody holds is taken away, and who waits was told of it', () => {
  const dead = spawn(process.execPath, ['-e', '']);
  beforeAll(async () => new Promise((end) => dead.once('exit', end)));

  test.each<[string, (lock: string) => void]>([
    ['that is empty, as a full disk leaves it', (lock) => writeFileSync(lock, '')],
    ['of junk', (lock) => writeFileSync(lock, 'junk\0{')],
    ['of a number that is our own', (lock) => writeFileSync(lock, String(process.pid))],
    ['of JSON that is no record', (lock) => writeFileSync(lock, '{"pid":-1,"token":[]}')],
    ['that is an empty folder', (lock) => mkdirSync(lock)],
    ['that is a link to nowhere', (lock) => symlinkSync('/no/such/file', lock)],
    ['of another machine', (lock) => writeFileSync(lock, record({ scope: 'elsewhere' }))],
  ])('a lock %s', async (_, plant) => {
    const path = freshPath();
    plant(`${path}.lock`);
    const told = await take(path);
    expect(told).toEqual([{ description: expect.any(String) as string, isAlive: false }]);
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  const onLinux = process.platform === 'linux' ? test : test.skip; // elsewhere nobody can tell: it is waited for
  onLinux.each([
    ['of a process that has ended', () => ({ pid: dead.pid! })],
    ['of our own number before a restart', () => ({ start: '1' })],
    ['of a number that another program has now', () => ({ pid: process.ppid, start: '1' })],
  ])('a lock %s goes at the first look, without a wait', async (_, changes) => {
    const path = freshPath();
    writeFileSync(`${path}.lock`, record(changes()));
    expect(await take(path, PATIENT)).toEqual([]);
  });

  test('a lock of a process that was killed goes at the first look', async () => {
    const path = freshPath();
    const holder = startProcess(
      `await FileLock.acquire(${JSON.stringify(path)}); say('held'); setInterval(() => 0, 1e6);`,
    );
    expect(await holder.next()).toBe('held');
    holder.child.kill('SIGKILL');
    expect(await holder.ended).toBe('SIGKILL');
    expect(await take(path, process.platform === 'linux' ? PATIENT : QUICK)).toEqual([]);
  });

  test('a guard that a kill has left does not keep it', async () => {
    const path = freshPath();
    writeFileSync(`${path}.lock`, 'junk');
    writeFileSync(`${path}.guard.lock`, '');
    await take(path);
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('a folder with something in it is somebody’s: it is named, and stays', async () => {
    const path = freshPath();
    mkdirSync(join(`${path}.lock`, 'mine'), { recursive: true });
    await expect(take(path)).rejects.toMatchObject({
      code: 'io',
      message: expect.stringMatching(/'.*file\.lock': the folder is not empty/) as string,
    });
    expect(readdirSync(dirname(path))).toEqual(['file.lock']);
    expect(existsSync(join(`${path}.lock`, 'mine'))).toBe(true);
  });
});

test.each([
  ['the lock of a dead process', record({ start: '1' })],
  ['an empty lock', ''], // whose inode the next lock may well have
])(
  'of two who find %s at once, the second does not take the first one’s lock away',
  async (_, text) => {
    const path = freshPath();
    writeFileSync(`${path}.lock`, text);
    let first: FileLock | undefined;
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this` below
    const judge = LockWatch.prototype.look;
    jest.spyOn(LockWatch.prototype, 'look').mockImplementation(async function (this: LockWatch) {
      const seen = await judge.call(this);
      if (seen?.isStale && !first) {
        jest.restoreAllMocks();
        first = await FileLock.acquire(path, { periods: QUICK }); // between the second one's look and its deed
      }
      return seen;
    });
    const told: LockHolder[] = [];
    const onWait = (holder: LockHolder) => {
      told.push(holder);
      if (holder.description.startsWith('process')) void first!.release();
    };
    const second = await FileLock.acquire(path, { periods: QUICK, onWait });
    expect(told.at(-1)?.description).toContain(`process ${process.pid} on`);
    expect(first!.lost.aborted).toBe(false); // it held the lock until it gave it back
    await second.release();
  },
);

describe('a lock that is held', () => {
  test('is waited for, by name, until it is released', async () => {
    const path = freshPath();
    const held = await FileLock.acquire(path, { periods: PATIENT });
    const told: LockHolder[] = [];
    let isOurs = false;
    const waiting = FileLock.acquire(path, {
      periods: QUICK, // however impatient: a process that is there holds it
      onWait: (holder) => told.push(holder),
    }).then((lock) => {
      isOurs = true;
      return lock;
    });
    const watch = new LockWatch(`${path}.lock`, QUICK);
    for (let look = 0; look < 20; look++) {
      await new Promise((next) => setTimeout(next, 2));
      expect(await watch.look()).toMatchObject({ isStale: false });
    }
    expect(isOurs).toBe(false);
    await held.release();
    await (await waiting).release();
    expect(told[0]).toEqual({
      description: expect.stringMatching(
        `^process ${process.pid} on \\S+, since \\d{4}-`,
      ) as string,
      isAlive: process.platform === 'linux',
    });
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('is renewed: an onlooker that cannot know the process sees that it lives', async () => {
    const path = freshPath();
    const elsewhere = { pid: 1, start: '', scope: 'elsewhere' };
    const own = jest.spyOn(identity, 'ownIdentity').mockReturnValue(elsewhere);
    const held = await FileLock.acquire(path, { periods: { ...PATIENT, beatMs: 1 } });
    const watch = new LockWatch(`${path}.lock`, PATIENT);
    let isAlive = false;
    while (!isAlive) {
      isAlive = (await watch.look())?.holder.isAlive ?? false;
      await new Promise((next) => setTimeout(next, 1));
    }
    own.mockRestore();
    await held.release();
  });

  test('by a process that is there, but was silent for long, is lost, and its holder learns that', async () => {
    const path = freshPath();
    const holder = await FileLock.acquire(path, { periods: { ...PATIENT, beatMs: 1e6 } });
    const next = await FileLock.acquire(path, { periods: { ...QUICK, stuckMs: 10 } });
    expect(holder.lost.aborted).toBe(false); // it has not looked yet
    await holder.release();
    expect(holder.lost.reason).toMatchObject({
      code: 'io',
      message: expect.stringContaining('was taken by another process') as string,
    });
    expect(existsSync(`${path}.lock`)).toBe(true); // the next one's
    await next.release();
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  test('is lost at the next renewal, which ends the work', async () => {
    const path = freshPath();
    const work = exclusively(
      path,
      undefined,
      (signal) => {
        rmSync(`${path}.lock`);
        return new Promise((_, fail) => {
          signal.addEventListener('abort', () => fail(new Error('ended')));
        });
      },
      { periods: { ...PATIENT, beatMs: 1 } },
    );
    await expect(work).rejects.toMatchObject({ code: 'io' });
    await exclusively(path, undefined, () => Promise.resolve(), { periods: PATIENT });
  });

  test('a wait heeds its signal, and what it is told may end it', async () => {
    const path = freshPath();
    const held = await FileLock.acquire(path, { periods: PATIENT });
    const controller = new AbortController();
    const onWait = () => controller.abort('enough');
    await expect(
      FileLock.acquire(path, { periods: PATIENT, signal: controller.signal, onWait }),
    ).rejects.toMatchObject({ code: 'aborted', cause: 'enough' });
    const refuse = () => {
      throw new Error('no');
    };
    await expect(FileLock.acquire(path, { periods: PATIENT, onWait: refuse })).rejects.toThrow(
      'no',
    );
    await held.release();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('time in which nobody looked does not count', async () => {
    const path = freshPath();
    writeFileSync(`${path}.lock`, 'junk');
    const watch = new LockWatch(`${path}.lock`, { ...QUICK, staleMs: 100 });
    await watch.look();
    const later = performance.now() + 3_600_000; // the machine slept for an hour
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => later);
    expect(await watch.look()).toMatchObject({ isStale: false });
    clock.mockRestore();
  });
});

test('a lock that cannot be written does not stay', async () => {
  const path = freshPath();
  const holder = startProcess(`await FileLock.acquire(${JSON.stringify(path)});`, [
    'bash',
    '-c',
    'ulimit -f 0; exec "$@"',
    'bash',
  ]);
  expect(await holder.next()).toMatch(/^error: io cannot lock '.*file': the file would be larger/);
  await holder.ended;
  expect(readdirSync(dirname(path))).toEqual([]);
});

test('a folder that is not there, or is a file, is named', async () => {
  const file = freshPath();
  writeFileSync(file, '');
  for (const path of [join(freshPath(), 'file'), join(file, 'below'), `${file}${'x'.repeat(300)}`])
    await expect(FileLock.acquire(path)).rejects.toMatchObject({
      code: 'io',
      message: expect.stringContaining(`cannot lock '${path}': `) as string,
    });
});

describe('exclusively', () => {
  test('runs one at a time for a path, also under another name of it, and others beside', async () => {
    const path = freshPath();
    const events: string[] = [];
    const work = (name: string) => async () => {
      events.push(`${name} begins`);
      await new Promise((next) => setImmediate(next));
      events.push(`${name} ends`);
    };
    const other = `${dirname(path)}/./file`;
    await Promise.all([
      exclusively(path, undefined, work('a')),
      exclusively(other, undefined, work('b'), {
        onWait: ({ description }) => events.push(description),
      }),
    ]);
    expect(events).toEqual([
      'another call in this process',
      'a begins',
      'a ends',
      'b begins',
      'b ends',
    ]);
    await exclusively(path, undefined, () => exclusively(`${path}2`, undefined, work('c')));
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('a wait in this process heeds its signal, and leaves the one that works alone', async () => {
    const path = freshPath();
    const controller = new AbortController();
    const result = exclusively(path, undefined, async () => {
      const waiting = exclusively(path, controller.signal, () => Promise.resolve());
      controller.abort();
      await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
      return 1;
    });
    expect(await result).toBe(1);
  });

  test('what the work throws comes out, and the lock goes', async () => {
    const path = join(freshPath(), 'file');
    const fails = exclusively(path, undefined, () => Promise.reject(new Error('mine')));
    await expect(fails).rejects.toThrow('mine');
    expect(readdirSync(dirname(path))).toEqual([]);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  });
});

test('a lock that was moved away is not removed by its holder', async () => {
  const path = freshPath();
  const held = await FileLock.acquire(path, { periods: PATIENT });
  renameSync(`${path}.lock`, `${path}.moved`);
  writeFileSync(`${path}.lock`, 'another');
  await held.release();
  expect(readFileSync(`${path}.lock`, 'utf8')).toBe('another');
});
