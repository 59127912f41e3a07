// For people who insist on node-gyp: binding.gyp calls this, which calls the same CMake and copies what it made.
const { spawnSync } = require('node:child_process');
const { copyFileSync, mkdirSync, readdirSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const target = process.argv[2];
const cmakeJs = require.resolve('cmake-js/bin/cmake-js');
const args = [cmakeJs, 'build', '-d', root, '--out', 'build-cmake', '--target', 'cachalot_package'];
const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root });
if (status !== 0) process.exit(status ?? 1);
const made = join(root, 'build-cmake', 'Release');
mkdirSync(target, { recursive: true });
for (const name of readdirSync(made)) {
  if (/\.(node|so|dylib|dll)$/.test(name)) copyFileSync(join(made, name), join(target, name));
}
