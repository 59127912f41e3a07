#!/usr/bin/env node
/** The command line; every command has a file. Text goes to stdout, everything else to stderr. */
import { Command, CommanderError } from 'commander';

import { isPath } from '../checks/check-options.js';
import { setVariable } from '../system/environment.js';
import { addBatch } from './batch.js';
import { addBench } from './bench.js';
import { addBuild } from './build.js';
import { addChat } from './chat.js';
import { addConvert } from './convert.js';
import { addDoctor } from './doctor.js';
import { disposeEngines } from './engine-options.js';
import { addEstimate } from './estimate.js';
import { addHeads } from './heads.js';
import { addRope } from './rope.js';
import { addInit } from './init.js';
import { addInspect } from './inspect.js';
import { addModels } from './models.js';
import { ExitCode, reportError } from './output.js';
import { addPull } from './pull.js';
import { addQuality } from './quality.js';
import { addRun } from './run.js';
import { addScore } from './score.js';
import { addSimulate } from './simulate.js';
import { version } from './version.js';

/** Options that may be repeated. */
const REPEATED = ['stop', 'file', 'setting'];

const COMMANDS = [
  addRun,
  addChat,
  addBatch,
  addScore,
  addInspect,
  addConvert,
  addPull,
  addModels,
  addBench,
  addQuality,
  addHeads,
  addRope,
  addEstimate,
  addSimulate,
  addDoctor,
  addBuild,
  addInit,
];

function build(): Command {
  const program = new Command('cachalot')
    .description('Run language models in Node.js; the KV cache is a first-class object.')
    .version(version)
    .option('--debug', 'show where an error came from')
    .option(
      '--cache-dir <folder>',
      'of models and of what loading keeps (default: $CACHALOT_CACHE, or cachalot in the cache folder of the user)',
    )
    .hook('preAction', (root) => {
      const { cacheDir } = root.opts<{ cacheDir?: string }>();
      if (cacheDir !== undefined) setVariable('CACHALOT_CACHE', isPath('--cache-dir', cacheDir));
    })
    .showHelpAfterError('(see --help)')
    .exitOverride();
  for (const add of COMMANDS) add(program);
  program.addHelpText(
    'after',
    '\nExit codes: 0 success, 1 error, 2 wrong usage, 130 interrupted by Ctrl-C, 143 by SIGTERM.\n\nExamples:\n' +
      '  cachalot run "What is the capital of France? Answer in one sentence."\n' +
      '  cachalot chat --system "You are terse."\n' +
      '  cachalot batch questions.jsonl --output answers.jsonl\n' +
      '  cachalot pull tinyllama-1.1b-chat',
  );
  for (const command of program.commands)
    for (const each of [command, ...command.commands]) refuseTwice(each.exitOverride());
  return program;
}

/** For other options the last value would win and the earlier ones would be ignored silently. */
function refuseTwice(command: Command): void {
  for (const option of command.options) {
    if (!option.required || REPEATED.includes(option.name())) continue;
    let isGiven = false;
    command.on(`option:${option.name()}`, () => {
      if (isGiven)
        command.error(`error: option '${option.flags}' is given twice`, {
          exitCode: ExitCode.Usage,
        });
      isGiven = true;
    });
  }
}

async function main(): Promise<void> {
  // A reader that stops early (`| head`) is not an error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : reportError(error, false));
  });
  process.stderr.on('error', () => undefined); // nobody can be told
  const program = build();
  await telling(program, () => program.parseAsync());
  await telling(program, disposeEngines);
}

/** Reports an error at once and sets the exit code. */
async function telling(program: Command, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof CommanderError)
      process.exitCode = error.exitCode === 0 ? 0 : ExitCode.Usage;
    else process.exitCode = reportError(error, program.opts<{ debug?: boolean }>().debug ?? false);
  }
}

void main();
