/** Options of every command that loads a model. */
import { Command, Option } from 'commander';

import { Engine } from '../engine.js';
import { readTextFile } from '../files/regular-file.js';
import { ALIASES, DEFAULT_MODEL } from '../models/names/aliases.js';
import { KV, LOAD } from '../options/load-options.js';
import type { LoadOptions } from '../options/load-options.js';
import { loadValue, notEmpty, threads } from './flag-values.js';
import { pullReporter } from './output.js';
import { ROPE_HELP, readRope, ropeFlag } from './rope-flag.js';
import type { RopeFlag } from './rope-flag.js';

export interface EngineFlags {
  model: string;
  device?: LoadOptions['device'];
  threads?: number;
  context?: number;
  rope?: RopeFlag;
  draftModel?: string;
  kvFormat?: (typeof KV.format.choices)[number];
  instructions?: LoadOptions['instructions'];
  sharedReads?: LoadOptions['sharedReads'];
  maxStepMs?: number;
  layoutCache?: boolean;
  /** Path of a file. */
  chatTemplate?: string;
}

export function addEngineOptions(command: Command): Command {
  return command
    .option(
      '-m, --model <model>',
      `file, alias (${Object.keys(ALIASES).join(', ')}), hf:..., npm:... or https://...`,
      notEmpty,
      DEFAULT_MODEL,
    )
    .option(
      '-d, --device <device>',
      'auto, cpu, cuda, or cuda:1 for the second GPU',
      loadValue('device'),
    )
    .option('-t, --threads <n>', 'CPU threads (default: one per physical core)', threads)
    .option(
      '-c, --context <tokens>',
      'longest context (default: what the model was trained for)',
      loadValue('contextLength'),
    )
    .option('--rope <how>', ROPE_HELP, ropeFlag)
    .option(
      '--draft-model <name>',
      'a smaller model of the same vocabulary: it guesses what the model will say',
    )
    .addOption(
      new Option('--kv-format <format>', 'how keys and values are stored').choices(
        KV.format.choices,
      ),
    )
    .addOption(
      new Option('--instructions <path>', 'CPU instructions').choices(LOAD.instructions.choices),
    )
    .addOption(
      new Option(
        '--shared-reads <when>',
        'read what sequences share together; never changes an answer',
      ).choices(LOAD.sharedReads.choices),
    )
    .option('--max-step-ms <ms>', 'target for the time between tokens', loadValue('maxStepMs'))
    .option('--no-layout-cache', 'repack weights at each load; keep no file of them');
}

/** Engines that commands have loaded. */
const engines: Engine[] = [];

/** Disposes them. Called at the end, after errors have been reported: an engine waits for its current work, such as an endless template. */
export async function disposeEngines(): Promise<void> {
  for (const engine of engines.splice(0)) await engine.dispose();
}

/** The text of the chat template, if one is given. Throws io. */
export async function readTemplate({ chatTemplate }: EngineFlags): Promise<string | undefined> {
  return chatTemplate === undefined ? undefined : readTextFile(chatTemplate);
}

/**
 * Loads an engine that lasts until the command line ends, with progress on stderr if the model has to be fetched first. `template`
 * is the flags' chat template, if it has already been read.
 */
export async function loadEngine(
  flags: EngineFlags,
  signal: AbortSignal,
  template?: string,
): Promise<{ engine: Engine; loadMs: number }> {
  const { report, end } = pullReporter();
  let fetched = performance.now();
  const options: LoadOptions = {
    signal,
    onProgress: (progress) => {
      report(progress);
      if (progress.phase !== 'load') fetched = performance.now(); // loading begins when fetching ends
    },
    ...(await loadOptions(flags)),
  };
  try {
    const chatTemplate = template ?? (await readTemplate(flags));
    if (chatTemplate !== undefined) options.chatTemplate = chatTemplate;
    const engine = await Engine.load(flags.model, options);
    engines.push(engine);
    return { engine, loadMs: performance.now() - fetched };
  } finally {
    end();
  }
}

export async function loadOptions(flags: EngineFlags): Promise<LoadOptions> {
  const { device, threads, context, kvFormat, instructions, sharedReads, maxStepMs } = flags;
  return {
    device,
    threads,
    contextLength: context,
    rope: flags.rope && (await readRope(flags.rope)),
    draft: flags.draftModel === undefined ? undefined : { model: flags.draftModel },
    kv: kvFormat && { format: kvFormat },
    instructions,
    sharedReads,
    layoutCache: flags.layoutCache === false ? false : undefined,
    maxStepMs,
  };
}
