// Builds the addon and puts it where node-gyp-build looks in an installed package. The name says which C library it is for: on
// another one, users get our error and not the linker's.
const { execFileSync } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, rmSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const isLinux = process.platform === 'linux';
const isGlibc = isLinux && process.report.getReport().header.glibcVersionRuntime !== undefined;
const tag = isLinux ? (isGlibc ? '.glibc' : '.musl') : '';

execFileSync(
  process.execPath,
  [require.resolve('cmake-js/bin/cmake-js'), 'build', '--target', 'cachalot_package'],
  {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  },
);
const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
const target = join(folder, `cachalot${tag}.node`);
mkdirSync(folder, { recursive: true });
copyFileSync(join(root, 'build', 'Release', 'cachalot.node'), target);
if (isLinux) execFileSync('strip', [target], { stdio: 'inherit' });

// Where there was an nvcc: the addon looks for it beside itself.
const cuda = isLinux ? 'libcachalot_cuda.so' : 'cachalot_cuda.dll';
const built = join(root, 'build', 'Release', cuda);
rmSync(join(folder, cuda), { force: true }); // one of an older build would not fit
if (existsSync(built)) copyFileSync(built, join(folder, cuda));
