// The examples that bring the engine into frameworks: their types are those of the framework, and they run under it.
const { cpSync } = require('node:fs');
const { join } = require('node:path');

const {
  check,
  folderWith,
  installed,
  nodeOf,
  problemOf,
  root,
  run,
  skip,
  versionOf,
} = require('../workplace.cjs');

const tsconfig = {
  compilerOptions: {
    ...{ noEmit: true, strict: true, allowJs: true, checkJs: true, skipLibCheck: true },
    ...{ module: 'nodenext', target: 'es2022', lib: ['es2023', 'esnext.disposable'] },
    ...{ types: ['node'], typeRoots: [join(root, 'node_modules/@types')] },
  },
  include: ['*.mjs'],
  exclude: ['use.mjs'],
};

/** A copy of an example with what its package.json asks for, and some of it in another version. */
function copyOf(example, name, tarball, versions = {}) {
  const source = join(root, 'examples', example);
  const folder = folderWith(name, { 'tsconfig.json': JSON.stringify(tsconfig) });
  cpSync(source, folder, { recursive: true, filter: (path) => !path.endsWith('package.json') });
  cpSync(join(__dirname, '..', 'uses', `${example}.mjs`), join(folder, 'use.mjs'));
  const { dependencies } = require(join(source, 'package.json'));
  const specs = Object.entries({ ...dependencies, ...versions })
    .filter(([key]) => key !== 'cachalot')
    .map(([key, range]) => `${key}@${range}`);
  return installed(folder, tarball, specs);
}

/** Its types, its use, and the program as its first lines say. */
function tried(folder, title, model, node = process.execPath) {
  const env = { ...process.env, CACHALOT_MODEL: model };
  const options = { cwd: folder, env };
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  check(`${title}: types`, problemOf(run(process.execPath, [tsc, '-p', '.'], options)));
  check(`${title}: runs under it`, problemOf(run(node, ['use.mjs'], options)));
  const args = ['chat.mjs', 'a b c', 'd', '--model', model, '--max-tokens', '8'];
  const { status, stdout, output } = run(node, args, options);
  const isFine = status === 0 && stdout.trim() !== '' && /cache; 8 new/.test(output);
  check(`${title}: a conversation of two turns`, isFine ? undefined : output);
}

module.exports = [
  {
    name: 'ai-sdk',
    about: 'examples/ai-sdk: its types, and generateText and streamText of `ai` 6 and 7',
    run({ tarball, model }) {
      const folder = copyOf('ai-sdk', 'ai-sdk', tarball);
      if (!folder) return;
      tried(folder, versionOf(folder, 'ai'), model);
      const node = nodeOf(24);
      if (!node) return skip('ai 7', 'it needs Node 22 or later');
      const next = copyOf('ai-sdk', 'ai-sdk-7', tarball, { ai: '^7' });
      if (next) tried(next, versionOf(next, 'ai'), model, node);
    },
  },
  {
    name: 'langchain',
    about: 'examples/langchain: its types, and invoke, stream and chains of `@langchain/core`',
    run({ tarball, model }) {
      const folder = copyOf('langchain', 'langchain', tarball);
      if (folder) tried(folder, versionOf(folder, '@langchain/core'), model);
    },
  },
];
