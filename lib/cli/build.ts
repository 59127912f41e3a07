/** `cachalot build`: compiles the addon of an installed package that has no prebuilt one for this system. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Command } from 'commander';

import { packageFolders } from '../binary/package-root.js';
import { CachalotError } from '../errors.js';
import { ioError } from '../files/io-error.js';
import { makeFolders } from '../files/make-folders.js';

const { root, built } = packageFolders;

const TOOLS = ['cmake-js@^8.0.0', 'node-addon-api@^8.0.0'];

export function addBuild(program: Command): void {
  program
    .command('build')
    .description('compile the native part on a machine for which there is no prebuilt one')
    .option('--json', 'print { path }')
    .addHelpText(
      'after',
      '\nNeeds cmake, a C++20 compiler and the npm registry (for cmake-js and node-addon-api).\n\nExamples:\n  npx cachalot build && npx cachalot doctor',
    )
    .action(async (flags: { json?: boolean }) => {
      try {
        const path = await build();
        process.stdout.write(`${flags.json ? JSON.stringify({ path }) : path}\n`);
      } catch (error) {
        throw ioError(error, 'build in', root);
      }
    });
}

/** Builds in a folder of its own: an installed package lacks the tools, and should not be written to. */
async function build(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'cachalot-build-'));
  try {
    for (const name of ['native', 'CMakeLists.txt'])
      cpSync(join(root, name), join(folder, name), { recursive: true });
    const binary = { napi_versions: [8] };
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'cachalot-build', version: '0.0.0', private: true, binary }),
    );
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    run(npm, ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...TOOLS], folder);
    const cmakeJs = join(folder, 'node_modules', 'cmake-js', 'bin', 'cmake-js');
    run(process.execPath, [cmakeJs, 'build', '--target', 'cachalot_package'], folder);
    await makeFolders(built);
    const path = join(built, 'cachalot.node');
    const made = join(folder, 'build', 'Release');
    // The addon and, if there is an nvcc, the CUDA library.
    for (const name of readdirSync(made).filter((file) => /\.(node|so|dll)$/.test(file))) {
      copyFileSync(join(made, name), join(built, `${name}.part`));
      renameSync(join(built, `${name}.part`), join(built, name)); // a process may be running the old one
    }
    return path;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The tools' output goes to stderr. */
function run(command: string, args: string[], cwd: string): void {
  const { status, error } = spawnSync(command, args, {
    cwd,
    stdio: ['ignore', 2, 2],
    shell: command.endsWith('.cmd'),
  });
  if (error || status !== 0) {
    const why = error?.message ?? `it ended with code ${status}`;
    throw new CachalotError('internal', `cannot run \`${command} ${args.join(' ')}\`: ${why}`, {
      cause: error,
    });
  }
}
