/** `cachalot rope`: a table of rotary frequencies for longer contexts; for the option `rope`. */
import type { Command } from 'commander';

import { CachalotError } from '../errors.js';
import { writeWhole } from '../files/write-whole.js';
import { inspectModel } from '../models/inspect.js';
import { ropeTable } from '../models/rope-table.js';
import { numberIn } from '../checks/check-options.js';
import { integer, notEmpty, numberBy } from './flag-values.js';
import { interruptSignal, pullReporter } from './output.js';
import { table } from './table.js';

interface RopeFlags {
  factor: number;
  trained?: number;
  output?: string;
  json?: boolean;
}

export function addRope(program: Command): void {
  program
    .command('rope')
    .description("estimate how a model's positions are best stretched over longer contexts")
    .argument(
      '<model>',
      'file, folder, alias, hf:... or https://... (of a remote file only the header is fetched)',
    )
    .option('-f, --factor <n>', 'by which contexts grow', numberBy(numberIn(1, 1024)), 2)
    .option('--trained <tokens>', 'what it was trained for (default: as its file says)', integer(1))
    .option('-o, --output <file>', 'write the table there', notEmpty)
    .option('--json', 'print the table with all disturbances')
    .addHelpText(
      'after',
      '\nFor each pair of rotated dimensions the distribution of its angles over the longer context is compared with that of training, with the frequency as it is\n' +
        'and divided by the factor; the one that disturbs less is taken (arXiv 2410.01490).\n\nExamples:\n' +
        '  cachalot rope tinyllama-1.1b-chat --factor 2 -o table.json\n' +
        "  cachalot run --rope table:table.json -c 4096 'Once upon a time'",
    )
    .action(async (name: string, flags: RopeFlags) => {
      const { signal } = interruptSignal();
      const { report, end } = pullReporter();
      const { shape, problem } = await inspectModel(name, {
        signal,
        onProgress: report,
      }).finally(end);
      if (!shape)
        throw new CachalotError(
          'not_supported',
          problem ?? 'the header of this file does not say how the model is made',
        );
      const { rope, contextLength } = shape;
      const made = ropeTable({
        ...rope,
        trainedLength: flags.trained ?? contextLength,
        factor: flags.factor,
      });
      if (flags.output !== undefined)
        await writeWhole(flags.output, `${JSON.stringify({ table: made.table })}\n`);
      process.stdout.write(flags.json ? `${JSON.stringify(made)}\n` : tableOf(made));
    });
}

function tableOf({ table: divisors, disturbances }: ReturnType<typeof ropeTable>): string {
  const rows = divisors.map((divisor, pair) => {
    const { divided, kept } = disturbances[pair]!;
    return [String(pair), kept.toFixed(4), divided.toFixed(4), divisor === 1 ? 'kept' : 'divided'];
  });
  return `${table(['pair', 'disturbance: kept', 'divided', 'choice'], rows)}\n`;
}
