/** `cachalot convert`: a model with its weights in another type of numbers. */
import { Argument, Option } from 'commander';
import type { Command } from 'commander';

import { CONVERT_TYPES, convertModel } from '../models/convert.js';
import type { ConvertType } from '../models/convert.js';
import { resolveModel } from '../models/pull.js';
import { interruptSignal, pullReporter } from './output.js';
import { workReporter } from './progress.js';
import { sizeText } from './sizes.js';

interface ConvertFlags {
  type: ConvertType;
  json?: boolean;
}

export function addConvert(program: Command): void {
  program
    .command('convert')
    .description('write a GGUF model with its weights in another type of numbers')
    .argument('<model>', 'file, alias, hf:..., npm:... or https://...')
    .addArgument(new Argument('<output>', 'the new file'))
    .addOption(
      new Option('--type <type>', 'of the matrices; vectors stay as they are')
        .choices(Object.keys(CONVERT_TYPES))
        .default('F16'),
    )
    .option('--json', 'print { output, bytes }')
    .addHelpText(
      'after',
      '\nA quantized file that becomes F32 loses nothing; F16, BF16 and Q8_0 are rounded. `cachalot quality` tells what that costs.\n\nExamples:\n' +
        '  cachalot convert tinyllama-1.1b-chat tinyllama-f16.gguf\n  cachalot convert model-f16.gguf model-q8.gguf --type Q8_0',
    )
    .action(async (model: string, output: string, flags: ConvertFlags) => {
      const { signal } = interruptSignal();
      const { report, end } = pullReporter();
      const path = await resolveModel(model, { signal, onProgress: report }).finally(end);
      const progress = workReporter();
      const { bytes } = await convertModel(path, output, {
        type: flags.type,
        signal,
        onProgress: (done, total) => progress.show({ done, total, what: 'converting' }),
      }).finally(progress.end);
      const text = flags.json
        ? JSON.stringify({ output, bytes })
        : `${output} (${sizeText(bytes)})`;
      process.stdout.write(`${text}\n`);
    });
}
