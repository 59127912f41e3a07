/** What a container leaves to us, as trees of files: control groups of both versions, nested, and in namespaces. */
import { fileSystem, mount } from '../fixtures/file-system.js';
import { testing } from '../testing.js';

const onLinux = process.platform === 'linux' ? describe : describe.skip;

const MiB = 2 ** 20;
const machine = { 'proc/meminfo': 'MemTotal:  16777216 kB\nMemAvailable:  8388608 kB\n' };
const memoryOf = (files: Record<string, string>) =>
  testing.systemMemory(fileSystem({ ...machine, ...files }));
const cgroup = 'sys/fs/cgroup';

onLinux('memory', () => {
  test('of a machine without groups is what meminfo says', () => {
    expect(memoryOf({})).toEqual({ limit: 16384 * MiB, left: 8192 * MiB });
  });

  test.each([
    ['max', 16384],
    ['314572800', 300],
    ['garbage', 16384],
    ['', 16384],
    ['99999999999999999999', 16384],
  ])('a limit of %j', (limit, expected) => {
    expect(memoryOf({ [`${cgroup}/memory.max`]: limit }).limit).toBe(expected * MiB);
  });

  test('what is in use counts, but not the file cache, which the kernel takes back', () => {
    const { limit, left } = memoryOf({
      [`${cgroup}/memory.max`]: `${300 * MiB}\n`,
      [`${cgroup}/memory.current`]: `${250 * MiB}\n`,
      [`${cgroup}/memory.stat`]: `anon ${100 * MiB}\nactive_file ${50 * MiB}\ninactive_file ${90 * MiB}\n`,
    });
    expect({ limit: limit / MiB, left: left / MiB }).toEqual({ limit: 300, left: 190 });
  });

  test('more in use than the limit leaves nothing', () => {
    const files = { [`${cgroup}/memory.max`]: '1000', [`${cgroup}/memory.current`]: '2000' };
    expect(memoryOf(files).left).toBe(0);
  });

  test('the least limit of the groups that we are in counts, at any depth, and memory.high is one', () => {
    const files = {
      'proc/self/cgroup': '0::/a/b/c/d\n',
      'proc/self/mountinfo': mount('/', '/sys/fs/cgroup'),
      [`${cgroup}/a/memory.max`]: `${4000 * MiB}`,
      [`${cgroup}/a/b/memory.max`]: `${500 * MiB}`,
      [`${cgroup}/a/b/c/memory.max`]: 'max',
      [`${cgroup}/a/b/c/memory.high`]: `${700 * MiB}`,
      [`${cgroup}/a/b/c/d/memory.max`]: 'max',
    };
    expect(memoryOf(files).limit).toBe(500 * MiB);
    files[`${cgroup}/a/b/c/memory.high`] = `${400 * MiB}`;
    expect(memoryOf(files).limit).toBe(400 * MiB);
  });

  test('the least that is left may be of another group than the least limit', () => {
    const { limit, left } = memoryOf({
      'proc/self/cgroup': '0::/a/b\n',
      [`${cgroup}/a/memory.max`]: `${1000 * MiB}`,
      [`${cgroup}/a/memory.current`]: `${990 * MiB}`, // of siblings
      [`${cgroup}/a/b/memory.max`]: `${300 * MiB}`,
      [`${cgroup}/a/b/memory.current`]: `${50 * MiB}`,
    });
    expect({ limit: limit / MiB, left: left / MiB }).toEqual({ limit: 300, left: 10 });
  });

  test('a hierarchy is found where it is mounted, with a space in the path, too', () => {
    const files = {
      'proc/self/cgroup': '0::/a\n',
      'proc/self/mountinfo': mount('/', '/odd\\040place'),
      'odd place/a/memory.max': `${300 * MiB}`,
    };
    expect(memoryOf(files).limit).toBe(300 * MiB);
  });

  test.each([
    ['a container that sees its own group as the top', '/', '/'],
    ['a mount of the very group', '/docker/1234', '/docker/1234'],
    ['a group outside our namespace', '/../other', '/'],
    ['a mount from outside our namespace', '/', '/..'],
    ['a group that is not below the mount', '/docker/5678', '/docker/1234'],
  ])('%s: what is seen of it counts', (_, group, top) => {
    const files = {
      'proc/self/cgroup': `0::${group}\n`,
      'proc/self/mountinfo': mount(top, '/sys/fs/cgroup'),
      [`${cgroup}/memory.max`]: `${300 * MiB}`,
    };
    expect(memoryOf(files).limit).toBe(300 * MiB);
  });

  const v1 = (top: string) =>
    mount(top, '/sys/fs/cgroup/memory', { type: 'cgroup', options: 'rw,memory' });

  test('version 1: limits of all groups, and of those above what is mounted', () => {
    const files = {
      'proc/self/cgroup': '4:memory:/a/b\n3:cpuset:/other\n',
      'proc/self/mountinfo': v1('/'),
      [`${cgroup}/memory/memory.limit_in_bytes`]: '9223372036854771712',
      [`${cgroup}/memory/a/memory.limit_in_bytes`]: `${600 * MiB}`,
      [`${cgroup}/memory/a/b/memory.limit_in_bytes`]: '9223372036854771712',
      [`${cgroup}/memory/a/b/memory.usage_in_bytes`]: `${100 * MiB}`,
      [`${cgroup}/memory/a/b/memory.stat`]: `active_file 1\ntotal_inactive_file ${20 * MiB}\n`,
    };
    expect(memoryOf(files).limit).toBe(600 * MiB);
    files[`${cgroup}/memory/a/b/memory.stat`] += `hierarchical_memory_limit ${500 * MiB}\n`;
    const { limit, left } = memoryOf(files);
    expect({ limit: limit / MiB, left: Math.round(left / MiB) }).toEqual({ limit: 500, left: 420 });
  });

  test('version 1 in a container that sees only its own group', () => {
    const files = {
      'proc/self/cgroup': '4:memory:/docker/1234\n',
      'proc/self/mountinfo': v1('/docker/1234'),
      [`${cgroup}/memory/memory.limit_in_bytes`]: `${300 * MiB}`,
    };
    expect(memoryOf(files).limit).toBe(300 * MiB);
  });

  test('both versions at once: the lesser', () => {
    const files = {
      'proc/self/cgroup': '4:memory:/a\n0::/b\n',
      'proc/self/mountinfo': v1('/') + mount('/', '/sys/fs/cgroup/unified'),
      [`${cgroup}/memory/a/memory.limit_in_bytes`]: `${400 * MiB}`,
      [`${cgroup}/unified/b/memory.max`]: `${300 * MiB}`,
    };
    expect(memoryOf(files).limit).toBe(300 * MiB);
    files[`${cgroup}/memory/a/memory.limit_in_bytes`] = `${200 * MiB}`;
    expect(memoryOf(files).limit).toBe(200 * MiB);
  });

  test("the process's own limits (ulimit -v, -d), less what it has", () => {
    const limits = (space: string, data: string) =>
      `Limit Soft Hard Units\nMax data size             ${data}  unlimited  bytes\nMax address space         ${space}  unlimited  bytes\n`;
    const status = 'VmSize:\t  1048576 kB\nVmData:\t  524288 kB\n';
    const of = (space: string, data: string) =>
      memoryOf({ 'proc/self/limits': limits(space, data), 'proc/self/status': status });
    expect(of('unlimited', 'unlimited').limit).toBe(16384 * MiB);
    expect(of(`${4096 * MiB}`, 'unlimited')).toEqual({ limit: 4096 * MiB, left: 3072 * MiB });
    expect(of('unlimited', `${2048 * MiB}`)).toEqual({ limit: 2048 * MiB, left: 1536 * MiB });
  });
});

onLinux('processors', () => {
  const one = '100000 100000';
  const all = testing.usableCores(fileSystem({}));

  test('the least quota of nested groups counts', () => {
    const files: Record<string, string> = {
      'proc/self/cgroup': '0::/a/b/c\n',
      'proc/self/mountinfo': mount('/', '/groups'),
      'groups/a/b/c/cpu.max': 'max 100000',
      'groups/a/b/cpu.max': '6400000 100000',
    };
    expect(testing.usableCores(fileSystem(files))).toBe(all);
    files['groups/a/cpu.max'] = one;
    expect(testing.usableCores(fileSystem(files))).toBe(1);
  });

  test.each([
    ['100000', 1],
    ['10000', 1],
    ['-1', all],
    ['garbage', all],
  ])('version 1: a quota of %s', (quota, expected) => {
    const files = {
      'proc/self/cgroup': '2:cpu,cpuacct:/a/b\n',
      'proc/self/mountinfo': mount('/', '/cpu', { type: 'cgroup', options: 'rw,cpu,cpuacct' }),
      'cpu/a/b/cpu.cfs_quota_us': '-1',
      'cpu/a/b/cpu.cfs_period_us': '100000',
      'cpu/a/cpu.cfs_quota_us': quota,
      'cpu/a/cpu.cfs_period_us': '100000',
    };
    expect(testing.usableCores(fileSystem(files))).toBe(expected);
  });

  test('a group of our own in a namespace', () => {
    const files = {
      'proc/self/cgroup': '0::/\n',
      'proc/self/mountinfo': mount('/', '/sys/fs/cgroup'),
      'sys/fs/cgroup/cpu.max': one,
    };
    expect(testing.usableCores(fileSystem(files))).toBe(1);
  });
});
