// Fetches Hugging Face's tokenizers in Rust from npm into the cache folder, for test/text/families.exhaustive: they say what
// ids are right. They are no dependency, as they have 64 MB with binaries for every kind of machine; of those one is kept.
const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const tar = require('tar');

const { cacheFolder } = require('../dist/models/store/cache-folder.js');

const PACKAGE = 'tokenizers@0.23.2';

const isForOthers = (path) =>
  path.endsWith('.node') && !path.includes(`.${process.platform}-${process.arch}`);

const folder = join(cacheFolder(), 'tokenizers');
const place = join(folder, 'rust');
if (existsSync(place)) process.exit();
mkdirSync(folder, { recursive: true });
const work = mkdtempSync(join(folder, 'work-'));
try {
  const options = { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] };
  execFileSync('npm', ['pack', '--silent', PACKAGE], options);
  const file = join(work, readdirSync(work)[0]);
  tar.extract({ file, cwd: work, sync: true, filter: (path) => !isForOthers(path) });
  renameSync(join(work, 'package'), place);
  console.log(PACKAGE);
} finally {
  rmSync(work, { recursive: true, force: true });
}
