/** `cachalot score`: how likely the model finds a text. */
import type { Command } from 'commander';

import { addEngineOptions, loadEngine } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { collect } from './flag-values.js';
import { readGiven } from './given-text.js';
import { interruptSignal } from './output.js';

interface ScoreFlags extends EngineFlags {
  file?: string[];
  json?: boolean;
}

const NOTES = `
Files come first, then what is piped in, then the argument, with a blank line between them; one of them alone is scored as it is,
to the byte.

Examples:
  cachalot score "The sky is blue."
  cachalot score --file chapter.txt --json`;

export function addScore(program: Command): void {
  const command = program
    .command('score')
    .description('log-probabilities and perplexity of a text')
    .argument('[text]', 'the text, or the end of it; "-" reads standard input');
  addEngineOptions(command)
    .option('-f, --file <file>', 'read it from a file; may be given several times', collect)
    .option('--json', 'print { tokens, logprobs, perplexity }')
    .addHelpText('after', NOTES)
    .action(async (argument: string | undefined, flags: ScoreFlags) => {
      const { signal } = interruptSignal();
      const { file: files = [] } = flags;
      const given = await readGiven({ argument, files, mayBeBlank: true }, command, signal);
      try {
        const { engine } = await loadEngine(flags, signal);
        await given.use(async (text) => {
          const score = await engine.score(text, { signal });
          const lines = () => table(score, (id) => engine.detokenize([id]));
          process.stdout.write(`${flags.json ? JSON.stringify(score) : lines()}\n`);
        });
      } finally {
        given.close();
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
