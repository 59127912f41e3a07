/** `cachalot init`: creates a project of five lines. */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';

import type { Command } from 'commander';

import { CachalotError } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { makeFolders } from '../files/make-folders.js';
import { DEFAULT_MODEL } from '../models/names/aliases.js';
import { notEmpty } from './flag-values.js';
import { version } from './version.js';

/** npm's limit of a package name. */
const MOST_CHARACTERS = 214;

export function addInit(program: Command): void {
  program
    .command('init')
    .description('write a small project: package.json, and index.mjs that streams an answer')
    .argument('[folder]', 'where; it may be there already', notEmpty, '.')
    .option('-m, --model <model>', 'what it loads', notEmpty, DEFAULT_MODEL)
    .option('--json', 'print { folder, files }')
    .addHelpText(
      'after',
      '\nNothing is overwritten.\n\nExamples:\n  cachalot init my-project\n  cd my-project && npm install && npm start',
    )
    .action(async (given: string, flags: { model: string; json?: boolean }) => {
      const folder = resolve(given);
      const files = await writeProject(folder, flags.model);
      const change = folder === process.cwd() ? '' : `cd ${quoted(given)} && `;
      process.stdout.write(
        flags.json
          ? `${JSON.stringify({ folder, files })}\n`
          : `${files.join(' and ')} are in ${folder}; next: ${change}npm install && npm start\n`,
      );
    });
}

/** Writes both files or none. Throws invalid_argument if one of them exists, or io. */
async function writeProject(folder: string, model: string): Promise<string[]> {
  const contents = { 'package.json': packageJson(folder), 'index.mjs': program(model) };
  const files = Object.keys(contents);
  const there = files.find((name) => existsSync(join(folder, name)));
  if (there !== undefined) throw refuse(folder, there);
  await makeFolders(folder);
  const written: string[] = [];
  try {
    for (const [name, text] of Object.entries(contents)) {
      await writeFile(join(folder, name), text, { flag: 'wx' });
      written.push(name);
    }
  } catch (error) {
    for (const name of written) await rm(join(folder, name), { force: true });
    throw ioError(error, 'write', join(folder, files[written.length]!));
  }
  return files;
}

function refuse(folder: string, name: string): CachalotError {
  return new CachalotError(
    'invalid_argument',
    `'${join(folder, name)}' is there already; nothing has been written`,
  );
}

function packageJson(folder: string): string {
  // A valid package name: lower case, no blanks, no dot at the beginning.
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '');
  const content = {
    name: isFree(name) ? name : 'cachalot-project',
    private: true,
    type: 'module',
    scripts: { start: 'node index.mjs' },
    dependencies: { cachalot: `^${version}` },
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

/** npm reserves two names, refuses longer ones, and installs no package into itself. */
function isFree(name: string): boolean {
  const isKept = ['', 'cachalot', 'node_modules', 'favicon.ico'].includes(name);
  return !isKept && name.length <= MOST_CHARACTERS;
}

function program(model: string): string {
  return [
    "import { Engine } from 'cachalot';",
    `const engine = await Engine.load(${JSON.stringify(model)});`,
    "const answer = engine.createSession().chat(process.argv[2] ?? 'Why is the sky blue?');",
    'for await (const piece of answer) process.stdout.write(piece);',
    'await engine.dispose();',
    '',
  ].join('\n');
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
