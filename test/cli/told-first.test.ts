import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { cachalot, cliPath } from './cachalot.js';

/** Has a process say when an engine is disposed. */
function tellingOfDisposal(): Record<string, string> {
  const path = temporaryPath('preload.cjs');
  const engine = join(cliPath, '../../engine.js');
  writeFileSync(
    path,
    `const { prototype } = require(${JSON.stringify(engine)}).Engine;
const { dispose } = prototype;
prototype.dispose = function () { process.stderr.write('disposed\\n'); return dispose.call(this); };`,
  );
  return { NODE_OPTIONS: `--require=${path}` };
}

test.each([
  ['run', '--system', 's', 'the'],
  ['chat'],
  ['batch', '--system', 's', '-'],
  ['score', 'the '.repeat(99)],
])('an error of %s is told before the engine ends, which may take its time', async (...args) => {
  const { path } = await writeTinyModel({ shape: { context: 16 } });
  const [command, ...rest] = args;
  const { code, stderr } = await cachalot(
    [command, '-m', path, ...rest],
    '"a"\n',
    tellingOfDisposal(),
  );
  expect([code > 0, stderr]).toEqual([true, expect.stringMatching(/^error: .*\ndisposed\n$/)]);
});
