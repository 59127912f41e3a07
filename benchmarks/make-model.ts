/** npm run bench:model -- SHAPE TYPE [--out FILE] [--seed N] */
import { statSync } from 'node:fs';

import { integer } from '#lib/cli/flag-values.js';
import { Command } from 'commander';

import { runMain } from './harness/main.js';
import { SHAPES } from './models/shapes.js';
import { makeModel, syntheticPath } from './models/model-files.js';

runMain(
  new Command('bench:model')
    .description('write a GGUF file of a known shape with random weights')
    .argument('<shape>', Object.keys(SHAPES).join(', '))
    .argument('<type>', 'F32, F16, BF16, Q8_0, Q4_0, Q4_K, ...: what fits the shape')
    .option('-o, --out <file>', 'where to (default: the cache folder)')
    .option('-s, --seed <n>', 'the same seed makes the same file', integer(0), 1)
    .addHelpText('after', '\nExample:\n  npm run bench:model -- llama-3.2-1b Q4_0')
    .action(async (shape: string, type: string, flags: { out?: string; seed: number }) => {
      const path = flags.out ?? syntheticPath({ shape, type, seed: flags.seed });
      await makeModel(path, { shape, type, seed: flags.seed });
      console.log(`${path} (${(statSync(path).size / 1e6).toFixed(0)} MB)`);
    }),
);
