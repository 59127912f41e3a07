// After tsc: takes away what an earlier build has left of sources that are gone (tests would pass with them, a fresh clone has none),
// and makes the command line executable.
const { chmodSync, existsSync, readdirSync, rmSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const dist = join(root, 'dist');
const source = (name) =>
  name
    .replace(/\.d\.ts$/, '.ts')
    .replace(/\.d\.mts$/, '.mts')
    .replace(/\.js$/, '.ts')
    .replace(/\.mjs$/, '.mts');

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath ?? entry.path, entry.name);
  const name = path.slice(dist.length + 1).replace(/\.map$/, '');
  if (!existsSync(join(root, 'lib', source(name)))) rmSync(path);
}
chmodSync(join(dist, 'cli', 'main.js'), 0o755);
