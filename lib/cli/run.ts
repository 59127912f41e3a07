/** `cachalot run`: one prompt, one answer, streamed. */
import type { Command } from 'commander';

import type { Engine } from '../engine.js';
import { describeDevice } from '../engine/describe-device.js';
import type { Generation } from '../generation/generation.js';
import type { GenerationResult } from '../generation/generation-result.js';
import { addEngineOptions, loadEngine } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { collect } from './flag-values.js';
import {
  addGenerateFlags,
  generateOptions,
  isChat,
  refuseWithRaw,
  systemOf,
  warnOfIdle,
} from './generate-flags.js';
import type { GenerateFlags } from './generate-flags.js';
import { readGiven } from './given-text.js';
import { interruptSignal } from './output.js';
import { describeSpeed, speedOf } from './speed.js';

interface RunFlags extends EngineFlags, GenerateFlags {
  file?: string[];
  json?: boolean;
  stats?: boolean;
}

const NOTES = `
Files come first, then what is piped in, then the argument, with a blank line between them: all of it is one prompt. In a loop that
reads lines, give \`< /dev/null\`, or the first call takes the rest of them.

Examples:
  cachalot run "What is the capital of France?"
  cachalot run -m stories-15m -n 100 "Once upon a time"
  cachalot run --file report.txt --file notes.txt "What do both say?"
  git diff | cachalot run --system "Summarize this change." --json
  cachalot run --schema person.json "Describe a person as JSON."`;

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('answer a prompt')
    .argument('[prompt]', 'the prompt, or the end of it; "-" reads standard input');
  addGenerateFlags(addEngineOptions(command))
    .option('-f, --file <file>', 'read it from a file; may be given several times', collect)
    .option('--raw', "continue the prompt as it is, without the model's chat template")
    .option('--json', 'print one JSON object instead of text')
    .option('--stats', 'print speed and cache use to stderr')
    .addHelpText('after', NOTES)
    .action(async (argument: string | undefined, flags: RunFlags) => {
      refuseWithRaw(flags);
      const { signal } = interruptSignal();
      const { file: files = [], raw: mayBeBlank = false } = flags;
      const given = await readGiven({ argument, files, mayBeBlank }, command, signal);
      try {
        const { engine, loadMs } = await loadEngine(flags, signal);
        warnOfIdle(flags);
        await given.use((text) => answer(engine, text, flags, signal, loadMs));
      } finally {
        given.close();
      }
    });
}

async function answer(
  engine: Engine,
  text: string,
  flags: RunFlags,
  signal: AbortSignal,
  loadMs: number,
): Promise<void> {
  const generation = begin(engine, text, flags, signal);
  if (!flags.json) {
    let end = ''; // the end of an unfinished line
    try {
      for await (const piece of generation) {
        process.stdout.write(piece);
        end = '\n';
      }
      end = '\n';
    } finally {
      process.stdout.write(end);
    }
  }
  const result = await generation.result;
  if (flags.json) process.stdout.write(`${JSON.stringify(summarize(result, loadMs))}\n`);
  if (flags.stats)
    process.stderr.write(
      `load ${loadMs.toFixed(0)} ms; ${describeSpeed(result)}\n${describeDevice(engine.description.device)}\n`,
    );
}

function begin(engine: Engine, text: string, flags: RunFlags, signal: AbortSignal): Generation {
  const options = { ...generateOptions(flags), signal };
  if (!isChat(engine, flags)) return engine.complete(text, options);
  const system = systemOf(flags);
  return engine.createSession(system === undefined ? {} : { system }).chat(text, options);
}

function summarize(result: GenerationResult, loadMs: number) {
  const { promptTokens, cachedTokens, kv } = result.usage;
  const { prefillMs, decodeMs } = result.timings;
  return {
    text: result.text,
    ...('object' in result && { object: result.object }),
    tokens: result.tokens,
    promptTokens,
    cachedTokens,
    ...(kv && { kv }),
    finishReason: result.finishReason,
    timings: { loadMs, prefillMs, decodeMs, ...speedOf(result) },
  };
}
