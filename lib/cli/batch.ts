/** `cachalot batch`: many prompts from a file of JSON lines, many answers into another. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';

import type { BatchStats } from '../batch.js';
import type { Engine } from '../engine.js';
import { CachalotError, abortError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import { describeSharing } from '../explain.js';
import { readInput, toRequest } from './batch-input.js';
import type { InputLine } from './batch-input.js';
import { BatchOutput } from './batch-output.js';
import { addEngineOptions, loadEngine } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { addGenerateFlags, generateOptions, isChat } from './generate-flags.js';
import type { GenerateFlags } from './generate-flags.js';
import { ExitCode, interruptSignal } from './output.js';
import { progressBar } from './progress.js';

interface BatchFlags extends EngineFlags, GenerateFlags {
  output?: string;
  order: 'finished' | 'input';
  schedule: 'prefix-grouped' | 'fcfs';
  json?: boolean;
  explain?: boolean;
}

/** Not of an item, but of everything: such a failure ends the batch, and the item is asked again next time. */
const FATAL: readonly ErrorCode[] = [
  'internal',
  'disposed',
  'out_of_memory',
  'no_binary',
  'io',
  'model_changed',
  'model_not_found',
  'device_failed',
  'device_unavailable',
];

const NOTES = `
Each line of the input is a JSON string, an array of messages, or an object with a "prompt" (either), an "id" that comes back with
the answer, and options of its own ("maxTokens", "temperature", "stop", ...). Each line of the output is an object with "index" (of
the input's line), "id", "text", "finishReason" and "usage", or with an "error" of that line alone. What prompts have in common at
their beginning is computed once.

With --output, the same command again goes on where it was interrupted: what the file holds is not computed again. It ends with
code 1 if lines have failed.

Examples:
  cachalot batch questions.jsonl --output answers.jsonl --max-tokens 64
  printf '"One, two,"\\n{"id":"b","prompt":"Red,","maxTokens":4}\\n' | cachalot batch --raw -n 8 -`;

export function addBatch(program: Command): void {
  const command = program
    .command('batch')
    .description('answer many prompts, one JSON value a line')
    .argument('<input>', 'file of JSON lines; "-" reads standard input');
  addGenerateFlags(addEngineOptions(command))
    .option(
      '-o, --output <file>',
      'write there, and go on if it is there (default: standard output)',
      notEmpty,
    )
    .addOption(
      new Option('--order <order>', 'order of the answers')
        .choices(['finished', 'input'])
        .default('finished'),
    )
    .addOption(
      new Option('--schedule <how>', 'who runs with whom: those that begin alike, or as they come')
        .choices(['prefix-grouped', 'fcfs'])
        .default('prefix-grouped'),
    )
    .option('--raw', "continue strings as they are, without the model's chat template")
    .option('--json', 'print a summary as one JSON object to stderr at the end')
    .option('--explain', 'print what the last steps shared, and why, to stderr at the end')
    .addHelpText('after', NOTES)
    .action(async (input: string, flags: BatchFlags) => {
      const { signal } = interruptSignal();
      // What can be wrong quickly comes before the model.
      const lines = await readInput(input, signal);
      const output = await BatchOutput.open(flags.output, lines, settingsOf(flags), signal);
      try {
        const { engine } = await loadEngine(flags, signal);
        try {
          await answerAll(engine, lines, output, flags, signal);
        } finally {
          await engine.dispose();
        }
      } catch (error) {
        throw signal.aborted ? interrupted(flags.output) : error;
      } finally {
        await output.close();
      }
    });
}

function notEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('expected a file name.');
  return text;
}

/** What answers depend on besides their lines. */
function settingsOf(flags: BatchFlags): object {
  const { model, device, context, kvFormat, instructions, system, raw } = flags;
  return { model, device, context, kvFormat, instructions, system, raw, ...generateOptions(flags) };
}

async function answerAll(
  engine: Engine,
  lines: readonly InputLine[],
  output: BatchOutput,
  flags: BatchFlags,
  signal: AbortSignal,
): Promise<void> {
  const chat = isChat(engine, flags);
  const waiting = lines.filter(({ index }) => !output.done.has(index));
  const already = lines.length - waiting.length;
  let failed = output.failed.size;
  const batch = engine.createBatch(
    waiting.map((line) => toRequest(line, chat, flags.system)),
    { ...generateOptions(flags), order: flags.order, schedule: flags.schedule, signal },
  );
  const progress = progressBar(lines.length, already, flags.output !== undefined);
  try {
    for await (const result of batch) {
      if (signal.aborted) break; // what ends now was cut off: it is for the next time
      const line = waiting[result.index]!;
      const outcome = line.error ? { error: line.error } : result;
      if (outcome.error && FATAL.includes(outcome.error.code)) throw outcome.error;
      if (outcome.error) failed++;
      output.write(line, outcome);
      progress.show(batch.stats);
    }
  } finally {
    progress.end();
  }
  if (signal.aborted) throw abortError(signal);
  if (flags.explain) process.stderr.write(`${describeSharing(engine.explain())}\n`);
  report(batch.stats, { items: lines.length, already, failed }, flags.json ?? false);
  if (failed > 0) process.exitCode = ExitCode.Error;
}

function interrupted(output: string | undefined): CachalotError {
  const way = output === undefined ? '' : '; the same command again goes on from here';
  return new CachalotError('aborted', `interrupted${way}`);
}

function report(
  stats: BatchStats,
  { items, already, failed }: { items: number; already: number; failed: number },
  json: boolean,
): void {
  const { promptTokens, sharedTokens, completionTokens, tokensPerSecond } = stats;
  if (json) {
    const summary = {
      items,
      already,
      failed,
      promptTokens,
      sharedTokens,
      completionTokens,
      tokensPerSecond,
    };
    process.stderr.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  process.stderr.write(
    `${items} items${already > 0 ? ` (${already} were there)` : ''}, ${failed} failed; prompts ${promptTokens} tokens, ` +
      `${sharedTokens} of them shared; answers ${completionTokens} tokens at ${tokensPerSecond.toFixed(1)}/s\n`,
  );
}
