/** Each cause for which there may be no binary is named in one line that says what to do. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { whyNotLoaded } from '../../lib/binary/causes.js';
import { loadBinary } from '../../lib/binary/load.js';
import type { PackageFolders } from '../../lib/binary/package-root.js';
import { systemOfFile } from '../../lib/binary/system-of.js';
import { CachalotError } from '../../lib/errors.js';
import { temporaryPath } from '../fixtures/tiny-model.js';

const root = join(__dirname, '..', '..');
const addon = join(root, 'build', 'Release', 'cachalot.node');
const own = `${process.platform}-${process.arch}`;

/** A folder with what is given in it, as if it were the package's. */
function packageWith(files: Record<string, string | Buffer>): PackageFolders {
  const folder = temporaryPath('package');
  const all = { 'package.json': '{"name":"cachalot"}', ...files };
  for (const [name, content] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return {
    root: folder,
    prebuilds: join(folder, 'prebuilds'),
    built: join(folder, 'build', 'Release'),
  };
}

function refusal(folders: PackageFolders): string {
  try {
    loadBinary(folders);
  } catch (error) {
    expect(error).toBeInstanceOf(CachalotError);
    const { code, message } = error as CachalotError;
    expect([code, message.includes('\n')]).toEqual(['no_binary', false]);
    return message;
  }
  throw new Error('it loads');
}

/** The beginning of a library for Linux on the processor of that number. */
function elf(processor: number): Buffer {
  const bytes = Buffer.alloc(128);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeUInt16LE(3, 16);
  bytes.writeUInt16LE(processor, 18);
  return bytes;
}

const prebuilt = `prebuilds/${own}/cachalot.node`;

test('bundled: it must stay outside, and each tool has its word for that', () => {
  for (const manifest of ['{"name":"my-app"}', 'no JSON', 'null'])
    expect(refusal(packageWith({ 'package.json': manifest }))).toMatch(
      /^cachalot has been bundled.*external package.*serverExternalPackages.*docs\/bundling\.md/,
    );
});

test('missing: what there is instead', () => {
  expect(refusal(packageWith({ 'prebuilds/plan9-mips/cachalot.node': 'x' }))).toMatch(
    new RegExp(
      `^there is no cachalot binary for ${own}.* here, only for plan9-mips: run .npx cachalot build`,
    ),
  );
  expect(refusal(packageWith({}))).toMatch(/^there is no cachalot binary for .* here: run /);
});

test('missing in a clone: the command that builds there', () => {
  const folders = packageWith({ 'CMakeLists.txt': '', 'lib/index.ts': '' });
  expect(refusal(folders)).toMatch(/: run `npm run build`$/);
});

test('in an Electron archive: what unpacks it', () => {
  const folder = join(temporaryPath('resources'), 'app.asar.unpacked', 'node_modules', 'cachalot');
  const folders = {
    root: folder,
    prebuilds: join(folder, 'prebuilds'),
    built: join(folder, 'build'),
  };
  expect(refusal(folders)).toMatch(/Electron archive.*asarUnpack/);
});

test.each([
  ['no library at all', Buffer.from('<!doctype html>'.repeat(20))],
  ['cut off within its header', elf(0).subarray(0, 40)],
  ['nothing', Buffer.alloc(0)],
])('damaged, %s: install again', (_, content) => {
  expect(refusal(packageWith({ [prebuilt]: content }))).toMatch(
    /cachalot\.node' is damaged: install cachalot again on this system/,
  );
});

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('damaged, cut off behind its header', () => {
  const folders = packageWith({ [prebuilt]: '' });
  copyFileSync(addon, join(folders.root, prebuilt));
  execFileSync('truncate', ['-s', '9000', join(folders.root, prebuilt)]);
  expect(refusal(folders)).toMatch(/is damaged: install/); // and not a signal
});

onLinux('of another processor: which, and which this is', () => {
  const other = process.arch === 'arm64' ? 62 : 183;
  const name = process.arch === 'arm64' ? 'linux-x64' : 'linux-arm64';
  expect(refusal(packageWith({ [prebuilt]: elf(other) }))).toMatch(
    new RegExp(
      `is for ${name}, and this is Node for ${own}: install cachalot again on this system`,
    ),
  );
  expect(refusal(packageWith({ 'build/Release/cachalot.node': elf(other) }))).toMatch(
    /: run `npx cachalot build`/, // nobody would get another by installing again
  );
});

test('for which system a file is', () => {
  const mach = Buffer.alloc(64);
  mach.writeUInt32LE(0xfeedfacf, 0);
  mach.writeUInt32LE(0x0100000c, 4);
  const pe = Buffer.alloc(256);
  pe.write('MZ');
  pe.writeUInt32LE(128, 60);
  pe.write('PE\0\0', 128);
  pe.writeUInt16LE(0x8664, 132);
  const of = (bytes: Buffer) => {
    const path = temporaryPath('library');
    writeFileSync(path, bytes);
    return systemOfFile(path);
  };
  expect([elf(62), mach, pe, elf(7)].map(of)).toEqual([
    'linux-x64',
    'darwin-arm64',
    'win32-x64',
    'linux-processor 7',
  ]);
  expect(systemOfFile(addon)).toBe(own);
});

onLinux.each([
  [
    "/lib/libc.so.6: version `GLIBC_2.38' not found (required by /a/cachalot.node)",
    /needs GLIBC_2\.38, which is newer than what this system has/,
  ],
  [
    'libstdc++.so.6: cannot open shared object file: No such file or directory',
    /needs libstdc\+\+\.so\.6, which this system lacks/,
  ],
  [
    'Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /a)',
    /is for glibc, and this system has another C library/,
  ],
  ['/a/cachalot.node: failed to map segment from shared object', /mounted with noexec/],
  ['/a/cachalot.node: undefined symbol: napi_no', /is damaged, or of another version/],
  ['something new\nand more', /cannot be loaded \(something new\)/],
])('what the system says, %s, in our words', (said, expected) => {
  const why = whyNotLoaded(addon, new Error(said), packageWith({}));
  expect(why).toMatch(expected);
  expect(why).toMatch(/: run `npx cachalot build`/);
});

describe('in a process of its own', () => {
  /** What `native()` says there. */
  function inProcess(folder: string, flags: string[] = [], user?: number): string {
    const load = `try { require(process.argv[1]).native(); console.log('loads') }
      catch (error) { console.log(error.code + ': ' + error.message) }`;
    const script = join(folder, 'dist', 'native.js');
    const options = { encoding: 'utf8' as const, ...(user === undefined ? {} : { uid: user }) };
    return execFileSync(process.execPath, [...flags, '-e', load, script], options).trim();
  }

  test('--no-addons is the cause, not a missing binary', () => {
    expect(inProcess(root)).toBe('loads');
    expect(inProcess(root, ['--no-addons'])).toMatch(
      /^no_binary: this process may load no addons.*--no-addons/,
    );
  });

  onLinux('a file that this user may not read is named', () => {
    const { root: folder } = packageWith({ [prebuilt]: '' });
    cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    copyFileSync(addon, join(folder, prebuilt));
    expect(inProcess(folder)).toBe('loads');
    const nobody = process.getuid?.() === 0 ? 65534 : undefined; // nothing is denied to root
    execFileSync('chmod', ['-R', 'a+rX', folder]);
    for (let above = folder; above !== '/tmp' && above !== dirname(above); above = dirname(above))
      if (nobody !== undefined && above.startsWith('/tmp/')) chmodSync(above, 0o755);
    for (const denied of [prebuilt, 'prebuilds']) {
      chmodSync(join(folder, denied), 0);
      expect(inProcess(folder, [], nobody)).toMatch(
        /^no_binary: cachalot may not read '.*': let this user read it/,
      );
    }
    chmodSync(join(folder, 'prebuilds'), 0o755);
  });
});
