/** Runs test/fixtures/failing-allocations.cjs: each allocation of the addon fails in turn, in a process of its own. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';

const library = join(__dirname, '..', '..', 'build', 'test', 'libcachalot_failing_new.so');

/** The sanitizers bring an allocator of their own, and the library is for Linux. */
export const testOfAllocations =
  process.platform === 'linux' && (existsSync(library) || !process.env['LD_PRELOAD'])
    ? test
    : test.skip;

/** How many points there were, and at how many of them the load, the engine, some request or nothing failed. */
export interface FailedAllocations {
  total: number;
  load: number;
  engine: number;
  request: number;
  nothing: number;
  dispose: number;
}

export async function failAllocations(
  points: number,
  mode: 'once' | 'for-ever',
): Promise<FailedAllocations> {
  const { path } = await writeTinyModel({ type: 'Q8_0', shape: { context: 256 } });
  const script = join(__dirname, '..', 'fixtures', 'failing-allocations.cjs');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [script, path, String(points), mode],
    { env: { ...process.env, LD_PRELOAD: library, XDG_CACHE_HOME: temporaryPath('cache') } },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as FailedAllocations;
}
