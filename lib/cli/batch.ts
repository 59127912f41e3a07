/** `cachalot batch`: many prompts from a file of JSON lines, many answers into another. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';

import type { BatchRequest, BatchStats } from '../batch.js';
import type { Engine } from '../engine.js';
import { CachalotError } from '../errors.js';
import type { GenerateOptions } from '../generate-options.js';
import { readInput } from './batch-input.js';
import type { InputLine } from './batch-input.js';
import { BatchOutput, outputLine } from './batch-output.js';
import { addEngineOptions, loadEngine } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { collect, integer, interruptSignal } from './output.js';
import { progressBar } from './progress.js';
import { addSamplingFlags, samplingOptions } from './sampling-flags.js';
import type { SamplingFlags } from './sampling-flags.js';

interface BatchFlags extends EngineFlags, SamplingFlags {
  output?: string;
  order: 'finished' | 'input';
  maxTokens?: number;
  system?: string;
  stop?: string[];
  raw?: boolean;
  json?: boolean;
}

const NOTES = `
Each line of the input is a JSON string, an array of messages, or an object with a "prompt" (either), an "id" that comes back with
the answer, and options of its own ("maxTokens", "temperature", "stop", ...). Each line of the output is an object with "index" (of
the input's line), "id", "text", "finishReason" and "usage", or with an "error" of that line alone. What prompts have in common at
their beginning is computed once.

With --output, the same command again goes on where it was interrupted: what the file holds is not computed again.

Examples:
  cachalot batch questions.jsonl --output answers.jsonl --max-tokens 64
  printf '"One, two,"\\n{"id":"b","prompt":"Red,","maxTokens":4}\\n' | cachalot batch --raw -n 8 -`;

export function addBatch(program: Command): void {
  const command = program
    .command('batch')
    .description('answer many prompts, one JSON value a line')
    .argument('<input>', 'file of JSON lines; "-" reads standard input');
  addSamplingFlags(addEngineOptions(command))
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
    .option('-n, --max-tokens <n>', 'most tokens of an answer', integer(1))
    .option('--system <text>', 'what the model is told first, for prompts that are strings')
    .option('--stop <text>', 'text that ends an answer; may be given several times', collect)
    .option('--raw', "continue strings as they are, without the model's chat template")
    .option('--json', 'print a summary as one JSON object to stderr at the end')
    .addHelpText('after', NOTES)
    .action(async (input: string, flags: BatchFlags) => {
      const { signal } = interruptSignal();
      const { engine } = await loadEngine(flags, signal);
      try {
        await answerAll(engine, input, flags, signal);
      } finally {
        await engine.dispose();
      }
    });
}

function notEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('expected a file name.');
  return text;
}

async function answerAll(
  engine: Engine,
  input: string,
  flags: BatchFlags,
  signal: AbortSignal,
): Promise<void> {
  const isChat = engine.canChat && !flags.raw;
  if (!isChat && flags.system !== undefined)
    throw new CachalotError(
      'invalid_argument',
      '--system needs a model with a chat template, without --raw',
    );
  const lines = await readInput(input, { isChat, system: flags.system });
  const output = new BatchOutput(flags.output, lines);
  const waiting = lines.filter(({ index }) => !output.done.has(index));
  const already = lines.length - waiting.length;
  const progress = progressBar(lines.length, already, flags.output !== undefined);
  const options = { ...generateOptions(flags), order: flags.order, signal };
  const batch = engine.createBatch(waiting.map(toRequest), options);
  let failed = 0;
  try {
    for await (const result of batch) {
      if (signal.aborted) break; // what ends now was cut off: it is for the next time
      const line = waiting[result.index]!;
      const bad = line.request instanceof CachalotError ? { error: line.request } : result;
      if (bad.error) failed++;
      output.write(outputLine(line, bad));
      progress.show(batch.stats);
    }
  } finally {
    progress.end();
    output.close();
  }
  if (signal.aborted) throw interrupted(flags.output);
  report(batch.stats, { items: lines.length, already, failed }, flags.json ?? false);
}

function generateOptions(flags: BatchFlags): GenerateOptions {
  return {
    ...(flags.maxTokens === undefined ? {} : { maxTokens: flags.maxTokens }),
    ...(flags.stop === undefined ? {} : { stop: flags.stop }),
    ...samplingOptions(flags),
  };
}

/** A line that is no request fails in the batch as it should, without a token computed. */
function toRequest({ request }: InputLine): BatchRequest {
  return request instanceof CachalotError ? { prompt: [] } : request;
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
