import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { writeTinyModel } from '../fixtures/tiny-model.js';

const probe = join(__dirname, '..', 'fixtures', 'event-loop-probe.cjs');
const testOnLinux = existsSync('/proc/self/schedstat') ? test : test.skip;

testOnLinux(
  'the event loop is never blocked for 10 ms while 8 sessions generate and a document of 200 KB is added',
  async () => {
    const { path } = await writeTinyModel({
      template: '{% for m in messages %}{{ m.content }}{% endfor %}',
      shape: { width: 32, heads: 1, kvHeads: 1, ffn: 32, layers: 1, context: 131_072 },
    });
    // What blocks does so every time; a collection of garbage on a busy machine does not.
    let best = Infinity;
    for (let attempt = 0; attempt < 3 && best >= 10; attempt++) {
      const { stdout } = await promisify(execFile)(process.execPath, [probe, path]);
      const { length, pieces, worst } = JSON.parse(stdout) as Record<string, number>;
      expect(length).toBeGreaterThan(50_000);
      expect(pieces).toBeGreaterThan(20);
      best = Math.min(best, worst!);
    }
    expect(best).toBeLessThan(10);
  },
  120_000,
);
