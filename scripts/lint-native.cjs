// clang-format over all native sources (from npm, so that nobody needs another package manager). --fix rewrites them.
const { spawnSync } = require('node:child_process');
const { readdirSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..', 'native');
const files = readdirSync(root, { recursive: true })
  .map((name) => join(root, String(name)))
  .filter((name) => /\.(h|cpp|inc|cu|cuh)$/.test(name));
const mode = process.argv.includes('--fix') ? ['-i'] : ['--dry-run', '--Werror'];
const tool = require.resolve('clang-format/index.js');
const { status } = spawnSync(process.execPath, [tool, '--style=file', ...mode, ...files], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
