/**
 * npm run bench:mixed: sequences that generate while a long prompt is computed. How long they wait between tokens, with and
 * without it, and what the prompt pays, for several targets for steps (`maxStepMs`), set from what the sequences take alone.
 */
import { integer, loadValue } from '#lib/cli/flag-values.js';
import { Command } from 'commander';

import { printAndKeep, runMain } from './harness/main.js';
import { measureAll } from './harness/scenario.js';
import { describe } from './mixed/report.js';
import { MixedScenario } from './mixed/scenario.js';

interface Flags {
  prompt: number;
  sequences: number[];
  shapes: string[];
  targets: number[];
}

async function main({ prompt, sequences, shapes, targets }: Flags): Promise<void> {
  const scenarios = shapes.flatMap((shape) =>
    sequences.map((count) => new MixedScenario(shape, count, prompt, targets)),
  );
  printAndKeep('mixed', describe(await measureAll(scenarios), prompt));
}

const list = (text: string) => text.split(',');

runMain(
  new Command('bench:mixed')
    .description('the time between tokens while a long prompt is computed')
    .option('--prompt <tokens>', 'length of the prompt', integer(1), 16_384)
    .option(
      '--sequences <n,...>',
      'how many generate',
      (text) => list(text).map(integer(1)),
      [1, 4, 16],
    )
    .option(
      '--targets <x,...>',
      'for a step, of the median time between tokens alone',
      (text) => list(text).map((one) => loadValue('maxStepMs')(one)!),
      [1.2, 1.35, 1.5, 2, 3],
    )
    .option('--shapes <shape:type,...>', 'models of random weights', list, ['smollm2-135m:Q8_0'])
    .action(main),
);
