/** The plain executable of native/tests, briefly; `npm run test:sanitize` runs it under the sanitizers. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const executable = join(__dirname, '..', 'build', 'test', 'cachalot_tests');

test('counting oracle, concurrent sessions, memory, pools, failing allocations: nothing fails', async () => {
  const { stdout } = await promisify(execFile)(executable);
  expect(stdout).toContain('9 passed, 0 failed');
  // Thousands of requests, or the oracle has seen too little to say anything.
  expect(Number(/counting oracle: \d+ tokens of (\d+) requests/.exec(stdout)?.[1])).toBeGreaterThan(
    1000,
  );
  expect(Number(/every allocation may fail: (\d+) points/.exec(stdout)?.[1])).toBeGreaterThan(20);
});
