/** Many processes that find the same stale locks at once: one at a time has each. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

import { temporaryPath } from '../fixtures/tiny-model.js';
import { startProcess } from './lock-holder.js';

const PROCESSES = 3;
const ROUNDS = 40;

const onLinux = process.platform === 'linux' ? test : test.skip; // elsewhere nobody can tell that a process is dead

onLinux(
  'processes that race for stale locks never hold one together, and each gets all',
  async () => {
    const path = temporaryPath('file');
    const ledger = temporaryPath('ledger');
    writeFileSync(ledger, '');
    // Each leaves the lock of a dead process behind, so that the next has to take it away. A holder writes when it begins and
    // when it ends: between the two nobody else may.
    const body = (name: number) => `
    const fs = require('node:fs');
    const [path, ledger] = ${JSON.stringify([path, ledger])};
    const periods = { beatMs: 1e6, pollMs: 1, staleMs: 1e9, stuckMs: 1e9 };
    const dead = JSON.stringify({ ...newRecord('dead'), start: '1' });
    for (let round = 0; round < ${ROUNDS}; round++) {
      const lock = await FileLock.acquire(path, { periods });
      fs.appendFileSync(ledger, '${name} begins\\n');
      for (let turn = 0; turn < 5; turn++) await new Promise((next) => setImmediate(next));
      fs.appendFileSync(ledger, '${name} ends\\n');
      await lock.release();
      try {
        fs.writeFileSync(path + '.lock', dead, { flag: 'wx' });
      } catch {} // somebody was faster
    }
    say('done');`;
    const processes = Array.from({ length: PROCESSES }, (_, name) => startProcess(body(name)));
    for (const each of processes) expect(await each.next()).toBe('done');
    for (const each of processes) expect(await each.ended).toBe(0);
    const lines = readFileSync(ledger, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(2 * PROCESSES * ROUNDS);
    for (let i = 0; i < lines.length; i += 2)
      expect(lines[i + 1]).toBe(lines[i]!.replace('begins', 'ends'));
    expect(existsSync(`${path}.guard.lock`)).toBe(false);
  },
);
