/** `cachalot heads`: which heads of a model look things up; for the compression `razor`. */
import type { Command } from 'commander';

import { writeWhole } from '../files/write-whole.js';
import { retrievalHeads } from '../relevance/retrieval-heads.js';
import type { HeadProfile } from '../options/head-profile.js';
import { addEngineOptions, loadEngine } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { integer, notEmpty } from './flag-values.js';
import { interruptSignal } from './output.js';
import { workReporter } from './progress.js';
import { table } from './table.js';

interface HeadsFlags extends EngineFlags {
  tokens?: number;
  rows?: number;
  seed?: number;
  output?: string;
  json?: boolean;
}

/** So many of the best heads are printed. */
const SHOWN = 10;

export function addHeads(program: Command): void {
  const command = program
    .command('heads')
    .description('find which heads of a model look things up in its context');
  addEngineOptions(command)
    .option('--tokens <n>', 'random tokens that are repeated (default: 256)', integer(8))
    .option('--rows <n>', 'rows that are observed (default: 16)', integer(1))
    .option('--seed <n>', 'of the random tokens', integer(0, 2 ** 31 - 1))
    .option('-o, --output <file>', 'write the profile there', notEmpty)
    .option('--json', 'print the profile')
    .addHelpText(
      'after',
      '\nA text of random tokens stands there four times; a head that looks things up reads what came after the same token before.\n' +
        'The profile is what the compression "razor" takes as `heads` (RazorAttention).\n\nExamples:\n' +
        '  cachalot heads -m tinyllama-1.1b-chat -o heads.json\n' +
        '  cachalot heads -m model.gguf --json > heads.json',
    )
    .action(async (flags: HeadsFlags) => {
      const { tokens, rows, seed } = flags;
      const { signal } = interruptSignal();
      const { engine } = await loadEngine(flags, signal);
      const progress = workReporter();
      const heads = await retrievalHeads(engine, {
        ...{ tokens, rows, seed, signal },
        onProgress: ({ done, total }) => progress.show({ done, total, what: 'looking at heads' }),
      }).finally(progress.end);
      const text = `${JSON.stringify(heads)}\n`;
      if (flags.output !== undefined) await writeWhole(flags.output, text);
      process.stdout.write(flags.json ? text : tableOf(heads));
    });
}

function tableOf({ layers, kvHeads, scores }: HeadProfile): string {
  const best = scores.map((score, i) => ({ score, i })).sort((a, b) => b.score - a.score);
  const rows = best
    .slice(0, SHOWN)
    .map(({ score, i }) => [
      String(Math.floor(i / kvHeads)),
      String(i % kvHeads),
      score.toFixed(3),
    ]);
  const looking = scores.filter((score) => score > 0.1).length;
  return `${table(['layer', 'KV head', 'looked up'], rows)}\n${looking} of ${layers * kvHeads} KV heads give more than a tenth of their attention to it.\n`;
}
