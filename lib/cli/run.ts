/** `cachalot run`: one prompt, one answer, streamed. */
import type { Command } from 'commander';

import { describeDevice } from '../engine-description.js';
import type { Engine } from '../engine.js';
import type { Generation } from '../generation.js';
import type { GenerationResult } from '../generation-result.js';
import { addEngineOptions, loadEngine, textArgument } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { addGenerateFlags, generateOptions, isChat } from './generate-flags.js';
import type { GenerateFlags } from './generate-flags.js';
import { interruptSignal } from './output.js';
import { describeSpeed, speedOf } from './speed.js';

interface RunFlags extends EngineFlags, GenerateFlags {
  json?: boolean;
  stats?: boolean;
}

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('answer a prompt')
    .argument('[prompt]', 'the prompt; "-" or a pipe reads standard input');
  addGenerateFlags(addEngineOptions(command))
    .option('--raw', "continue the prompt as it is, without the model's chat template")
    .option('--json', 'print one JSON object instead of text')
    .option('--stats', 'print speed and cache use to stderr')
    .addHelpText(
      'after',
      '\nExamples:\n  cachalot run "What is the capital of France?"\n  cachalot run -m stories-15m -n 100 "Once upon a time"\n' +
        '  git diff | cachalot run --system "Summarize this change." --json',
    )
    .action(async (prompt: string | undefined, flags: RunFlags) => {
      const { signal } = interruptSignal();
      const text = await textArgument(prompt, command, signal);
      const { engine, loadMs } = await loadEngine(flags, signal);
      try {
        await answer(engine, text, flags, signal, loadMs);
      } finally {
        await engine.dispose();
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
    try {
      for await (const piece of generation) process.stdout.write(piece);
    } finally {
      process.stdout.write('\n');
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
  const { system } = flags;
  return engine.createSession(system === undefined ? {} : { system }).chat(text, options);
}

function summarize(result: GenerationResult, loadMs: number) {
  const { promptTokens, cachedTokens } = result.usage;
  const { prefillMs, decodeMs } = result.timings;
  return {
    text: result.text,
    tokens: result.tokens,
    promptTokens,
    cachedTokens,
    finishReason: result.finishReason,
    timings: { loadMs, prefillMs, decodeMs, ...speedOf(result) },
  };
}
