/** What `npm run gpu:check` carries to a machine with a GPU works: here on the emulated one. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { emulatedLibrary } from '../testing.js';

const hasPython = spawnSync('python3', ['-c', 'import ctypes, json']).status === 0;
(emulatedLibrary !== undefined && hasPython ? test : test.skip)(
  "the yardstick's structs are those of the library",
  () => {
    const out = mkdtempSync(join(tmpdir(), 'cachalot-yardstick-'));
    try {
      const script = join(__dirname, '..', '..', 'benchmarks', 'gpu', 'yardstick.py');
      const args = [script, '--library', emulatedLibrary!, '--small', '--out', out];
      // With structs of another library it may never end.
      const how = { encoding: 'utf8', timeout: 240_000 } as const;
      const { status, stderr } = spawnSync('python3', args, how);
      expect([status, stderr]).toEqual([0, '']);
      const tables = JSON.parse(readFileSync(join(out, 'yardstick.json'), 'utf8')) as {
        rows: [string, number][];
      }[];
      for (const { rows } of tables) for (const [, us] of rows) expect(us).toBeGreaterThan(0);
      expect(tables.length).toBe(2);
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  },
);
