/** A control group of 300 MB for real, where this machine lets us make one: the kernel ends no engine that takes its defaults. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { writeTinyModel } from '../fixtures/tiny-model.js';

const LIMIT = 300_000_000;
const root = join(__dirname, '..', '..');

/** Where hierarchies with the memory controller are mounted, and how their groups are limited. */
function hierarchies(): { point: string; file: string }[] {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .flatMap((line) => {
        const [before = '', after = ''] = line.split(' - ');
        const point = before.split(' ')[4]!;
        const [type, , options = ''] = after.split(' ');
        if (type === 'cgroup2') return [{ point, file: 'memory.max' }];
        const isMemory = type === 'cgroup' && options.split(',').includes('memory');
        return isMemory ? [{ point, file: 'memory.limit_in_bytes' }] : [];
      });
  } catch {
    return [];
  }
}

/** The folder of a new group, or undefined where none can be made. */
function makeGroup(): string | undefined {
  for (const { point, file } of hierarchies()) {
    const folder = join(point, `cachalot-test-${process.pid}`);
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    try {
      writeFileSync(join(folder, file), String(LIMIT), { flag: 'r+' });
      return folder;
    } catch {
      rmdirSync(folder); // a hierarchy without the controller
    }
  }
  return undefined;
}

const group = makeGroup();
afterAll(() => {
  if (group !== undefined) rmdirSync(group);
});

/** Fills all the room that the default leaves, and answers. */
const script = `
  const { Engine } = require('./dist/index.js');
  (async () => {
    const engine = await Engine.load(process.argv[1], { device: 'cpu', threads: 2, sharedReads: 'never', kv: { format: 'f32' } });
    const { kvBytes } = engine.stats();
    const perToken = engine.description.kvBytesPerToken;
    for (let tokens = 0, i = 0; tokens < kvBytes / perToken; tokens += 500, i++)
      await engine.cache.add(Array.from({ length: 500 }, (_, at) => 3 + ((at === 0 ? i : at) % 300)));
    const { tokens } = await engine.completeTokens([5, 6, 7], { maxTokens: 4, ignoreEos: true }).result;
    const refused = await Engine.load(process.argv[1], { device: 'cpu', kv: { bytes: 400e6 } }).then(() => 'loaded', ({ code, message }) => code + ' ' + message);
    console.log(JSON.stringify({ kvBytes, used: engine.stats().kvBytesInUse, answered: tokens.length, refused }));
  })();`;

(group === undefined ? test.skip : test)(
  'in a group of 300 MB (skipped where none can be made) the default room is filled, and the process lives',
  async () => {
    const shape = { context: 32_768, layers: 4, kvHeads: 4, heads: 4, headDim: 64 };
    const { path } = await writeTinyModel({ shape });
    const enter = `echo $$ > ${group}/cgroup.procs && exec "$@"`;
    const { stdout } = await promisify(execFile)(
      'sh',
      ['-c', enter, 'sh', process.execPath, '-e', script, path],
      { cwd: root },
    );
    const { kvBytes, used, answered, refused } = JSON.parse(stdout) as {
      kvBytes: number;
      used: number;
      answered: number;
      refused: string;
    };
    expect(kvBytes).toBeLessThanOrEqual(LIMIT / 4);
    expect(kvBytes).toBeGreaterThan(LIMIT / 20);
    expect(used).toBeGreaterThan(0.9 * kvBytes);
    expect(answered).toBe(4);
    expect(refused).toMatch(/^invalid_argument .*`kv\.bytes`/);
    expect(refused).toContain(String(Math.floor(LIMIT / 4096) * 4096));
  },
);
