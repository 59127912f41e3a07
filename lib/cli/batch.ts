/** `cachalot batch`: many prompts from a file of JSON lines, many answers into another. */
import { createHash } from 'node:crypto';
import { fstatSync, statSync } from 'node:fs';

import { Option } from 'commander';
import type { Command } from 'commander';

import type { BatchStats } from '../batch/batch.js';
import type { Engine } from '../engine.js';
import { describeSharing } from '../engine/describe-sharing.js';
import { CachalotError } from '../errors.js';
import { answerAll } from './batch-answers.js';
import { readInput } from './batch-input.js';
import type { InputLine } from './batch-input.js';
import { BatchOutput } from './batch-output.js';
import { addEngineOptions, loadEngine, readTemplate } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { notEmpty } from './flag-values.js';
import {
  addGenerateFlags,
  generateOptions,
  isChat,
  refuseWithRaw,
  systemOf,
} from './generate-flags.js';
import type { GenerateFlags } from './generate-flags.js';
import { ExitCode, interruptSignal } from './output.js';
import { isStandardInput, standardInputKind } from './read-text.js';

interface BatchFlags extends EngineFlags, GenerateFlags {
  output?: string;
  order: 'finished' | 'input';
  schedule: 'prefix-grouped' | 'fcfs';
  json?: boolean;
  explain?: boolean;
}

const NOTES = `
Each line of the input is a JSON string, an array of messages, or an object with a "prompt" (either), an "id" that comes back with
the answer, and options of its own ("maxTokens", "temperature", "stop", ...). Each line of the output is an object with "index" (of
the input's line), "id", "text", "finishReason" and "usage", or with an "error" of that line alone. What prompts have in common at
their beginning is computed once.

Lines of OpenAI's batch files ({"custom_id", "method", "url", "body"}) are answered in that form, with "custom_id", "response" and
"error"; the model is that of the command line.

With --output, the same command again goes on where it was interrupted: what the file holds is not computed again. It ends with
code 1 if lines have failed.

Examples:
  cachalot batch questions.jsonl --output answers.jsonl --max-tokens 64
  cachalot batch monday.jsonl tuesday.jsonl --order input > answers.jsonl
  printf '"One, two,"\\n{"id":"b","prompt":"Red,","maxTokens":4}\\n' | cachalot batch --raw -n 8 -`;

export function addBatch(program: Command): void {
  const command = program
    .command('batch')
    .description('answer many prompts, one JSON value a line')
    .argument('[inputs...]', 'files of JSON lines; "-", or a pipe alone, reads standard input');
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
    .action(async (named: string[], flags: BatchFlags) => {
      refuseWithRaw(flags);
      const inputs = inputsOf(named, flags.output, command);
      const { signal } = interruptSignal();
      // Quick checks come before the model.
      const lines = await readInput(inputs, signal);
      const template = await readTemplate(flags);
      const settings = settingsOf(flags, template);
      const output = await BatchOutput.open(flags.output, lines, settings, signal);
      try {
        const { engine } = await loadEngine(flags, signal, template);
        await answerAndReport(engine, lines, output, flags, signal);
      } catch (error) {
        throw signal.aborted ? interrupted(flags.output) : error;
      } finally {
        await output.close();
      }
    });
}

/** Ends the command with a usage error for combinations that make no sense. */
function inputsOf(
  named: readonly string[],
  output: string | undefined,
  command: Command,
): string[] {
  const refuse = (what: string) => command.error(`error: ${what}`, { exitCode: 2 });
  if (named.length === 0 && standardInputKind() === 'nothing')
    return refuse('give a file of JSON lines, or pipe them in');
  const inputs = named.length === 0 ? ['-'] : [...named];
  if (inputs.filter(isStandardInput).length > 1) return refuse('standard input can be given once');
  if (inputs.some((input) => isSameFile(input, output)))
    return refuse('--output is an input; answers go to a file of their own');
  return inputs;
}

/** Whether two paths are the same file, whatever their names. */
function isSameFile(input: string, output: string | undefined): boolean {
  const statusOf = (path: string) => statSync(path, { throwIfNoEntry: false });
  if (output === undefined) return false;
  try {
    const [one, other] = [
      isStandardInput(input) ? fstatSync(0) : statusOf(input),
      statusOf(output),
    ];
    return Boolean(other?.isFile() && one?.dev === other.dev && one.ino === other.ino);
  } catch {
    return false; // a file that cannot be read or written is reported where it is used
  }
}

/** Everything besides the lines that answers depend on: of a template its text, not the name of its file. */
function settingsOf(flags: BatchFlags, template: string | undefined): object {
  const { model, device, context, kvFormat, instructions, raw } = flags;
  const system = systemOf(flags);
  const chatTemplate = template && createHash('sha256').update(template).digest('hex');
  return {
    model,
    device,
    context,
    kvFormat,
    instructions,
    system,
    raw,
    chatTemplate,
    ...generateOptions(flags),
  };
}

async function answerAndReport(
  engine: Engine,
  lines: readonly InputLine[],
  output: BatchOutput,
  flags: BatchFlags,
  signal: AbortSignal,
): Promise<void> {
  const { model, order, schedule } = flags;
  const setting = { isChat: isChat(engine, flags), system: systemOf(flags), seed: seedOf(flags) };
  const options = { ...generateOptions(flags), order, schedule, signal };
  const { stats, ...counts } = await answerAll(engine, lines, output, {
    model,
    setting,
    options,
    isAlone: flags.output !== undefined,
  });
  if (flags.explain) process.stderr.write(`${describeSharing(engine.explain())}\n`);
  report(stats, { items: lines.length, ...counts }, flags.json ?? false);
  if (counts.failed > 0) process.exitCode = ExitCode.Error;
}

function seedOf({ seed }: GenerateFlags): number {
  return seed ?? Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
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
