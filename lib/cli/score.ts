/** `cachalot score`: how likely the model finds a text. */
import type { Command } from 'commander';

import { addEngineOptions, loadEngine, textArgument } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { interruptSignal } from './output.js';
import { readText } from './read-text.js';

interface ScoreFlags extends EngineFlags {
  file?: string;
  json?: boolean;
}

export function addScore(program: Command): void {
  const command = program
    .command('score')
    .description('log-probabilities and perplexity of a text')
    .argument('[text]', 'the text; "-" or a pipe reads standard input');
  addEngineOptions(command)
    .option('-f, --file <file>', 'read the text from a file')
    .option('--json', 'print { tokens, logprobs, perplexity }')
    .addHelpText(
      'after',
      '\nExamples:\n  cachalot score "The sky is blue."\n  cachalot score --file chapter.txt --json',
    )
    .action(async (argument: string | undefined, flags: ScoreFlags) => {
      if (argument !== undefined && flags.file !== undefined) {
        command.error('error: give a text or --file, not both', { exitCode: 2 });
      }
      const { signal } = interruptSignal();
      const text =
        flags.file === undefined
          ? await textArgument(argument, command, signal)
          : await readText(flags.file, signal);
      const { engine } = await loadEngine(flags, signal);
      try {
        const score = await engine.score(text, { signal });
        process.stdout.write(
          flags.json
            ? `${JSON.stringify(score)}\n`
            : `${table(score, (id) => engine.detokenize([id]))}\n`,
        );
      } finally {
        await engine.dispose();
      }
    });
}

function table(
  score: { tokens: number[]; logprobs: number[]; perplexity: number },
  name: (id: number) => string,
): string {
  const rows = score.logprobs.map(
    (logprob, i) =>
      `${logprob.toFixed(4).padStart(10)}  ${JSON.stringify(name(score.tokens[i + 1]!))}`,
  );
  return [...rows, `perplexity ${score.perplexity.toFixed(4)}`].join('\n');
}
