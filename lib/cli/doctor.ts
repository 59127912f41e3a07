/** `cachalot doctor`: what this machine can do, and what is wrong if something is. */
import { existsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

import type { Command } from 'commander';

import { CachalotError } from '../errors.js';
import { ALIASES } from '../models/aliases.js';
import { aliasPath, modelsFolder } from '../models/cache-folder.js';
import { native } from '../native.js';
import { ExitCode } from './output.js';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check this installation')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExamples:\n  cachalot doctor\n  cachalot doctor --json')
    .action((flags: { json?: boolean }) => {
      const report = examine();
      if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`);
      else
        for (const [name, value] of Object.entries(report))
          process.stdout.write(`${name.padEnd(14)}${line(value)}\n`);
      if (report.problem !== undefined) process.exitCode = ExitCode.Error;
    });
}

function examine() {
  let instructions: string[] = [];
  let problem: string | undefined;
  try {
    instructions = native().instructions();
  } catch (error) {
    problem = error instanceof CachalotError ? error.message : String(error);
  }
  return {
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    binary: problem === undefined ? 'loads' : 'does not load',
    cpu: instructions,
    cuda: 'not built in this version',
    cores: availableParallelism(),
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    models: modelsFolder(),
    present: Object.keys(ALIASES).filter((alias) => existsSync(aliasPath(alias))),
    ...(problem === undefined ? {} : { problem }),
  };
}

function line(value: string | number | string[]): string {
  return Array.isArray(value) ? value.join(', ') || 'none' : String(value);
}
