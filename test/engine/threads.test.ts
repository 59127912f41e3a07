/** How many threads, and that they change nothing. native/tests/pools.cpp has the pools' own promises. */
import { readFileSync } from 'node:fs';

import { Engine } from '../../lib/index.js';
import { fileSystem } from '../fixtures/file-system.js';
import { writeTinyModel } from '../fixtures/tiny-model.js';
import { testing } from '../testing.js';

const onLinux = process.platform === 'linux' ? describe : describe.skip;

/** The processors that we may run on: "0-1,4" in the kernel's words. */
function allowed(): number[] {
  const [, list = ''] =
    /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

const siblings = (processor: number) =>
  `sys/devices/system/cpu/cpu${processor}/topology/thread_siblings_list`;

onLinux('cores that may be used', () => {
  const processors = allowed();

  test('without any files: one for each processor', () => {
    expect(testing.usableCores(fileSystem({}))).toBe(processors.length);
  });

  test('two threads of one core count once', () => {
    const pairs = processors.map((processor, i) => {
      const first = processors[i - (i % 2)]!;
      return [siblings(processor), `${first},${first + 1000}\n`];
    });
    const root = fileSystem(Object.fromEntries(pairs) as Record<string, string>);
    expect(testing.usableCores(root)).toBe(Math.ceil(processors.length / 2));
  });

  test.each([
    ['100000 100000', 1],
    ['10000 100000', 1],
    ['6400000 100000', processors.length],
    ['max 100000', processors.length],
    ['garbage', processors.length],
    ['', processors.length],
  ])("a container's quota %j", (quota, expected) => {
    expect(testing.usableCores(fileSystem({ 'sys/fs/cgroup/cpu.max': quota }))).toBe(expected);
  });

  test('the least quota of the groups that we are in', () => {
    const root = fileSystem({
      'proc/self/cgroup': '0::/outer/inner\n',
      'sys/fs/cgroup/outer/cpu.max': '100000 100000',
      'sys/fs/cgroup/outer/inner/cpu.max': 'max 100000',
    });
    expect(testing.usableCores(root)).toBe(1);
  });
});

describe('several engines of one process', () => {
  const answer = async (engine: Engine) => {
    const { tokens } = await engine.completeTokens([3, 4, 5, 6], {
      maxTokens: 60,
      ignoreEos: true,
      temperature: 0.8,
      seed: 7,
    }).result;
    return Array.from(tokens);
  };

  test('run at once, with the same results as alone', async () => {
    const { path } = await writeTinyModel({ type: 'Q8_0' });
    const alone = await Engine.load(path, { threads: 1 });
    const expected = await answer(alone);
    await alone.dispose();
    const engines = await Promise.all(
      [1, 2, 3, 4].map((threads) => Engine.load(path, { threads })),
    );
    for (let round = 0; round < 3; round++)
      for (const tokens of await Promise.all(engines.map(answer))) expect(tokens).toEqual(expected);
    await Promise.all(engines.map((engine) => engine.dispose()));
  });
});
