/** Flags of every command that generates. */
import type { Command } from 'commander';

import type { Engine } from '../engine.js';
import { CachalotError } from '../errors.js';
import { generateChecks } from '../generate-options.js';
import type { GenerateOptions } from '../generate-options.js';
import { numberBy, stopText } from './flag-values.js';
import { addSamplingFlags, flagOf, samplingOptions } from './sampling-flags.js';
import type { SamplingFlags } from './sampling-flags.js';

export interface GenerateFlags extends SamplingFlags {
  maxTokens?: number;
  system?: string;
  stop?: string[];
  raw?: boolean;
}

export function addGenerateFlags(command: Command): Command {
  return addSamplingFlags(command)
    .option(
      '-n, --max-tokens <n>',
      'most tokens of an answer',
      numberBy(generateChecks['maxTokens']!),
    )
    .option('--system <text>', 'what the model is told first')
    .option(
      '--stop <text>',
      'text that ends an answer, with \\n, \\t, \\r and \\\\; may be given several times',
      stopText,
    );
}

export function generateOptions(flags: GenerateFlags): GenerateOptions {
  return {
    ...(flags.maxTokens === undefined ? {} : { maxTokens: flags.maxTokens }),
    ...(flags.stop === undefined ? {} : { stop: flags.stop }),
    ...samplingOptions(flags),
  };
}

/** The system message, if one is given: what is blank is absent. */
export function systemOf({ system }: GenerateFlags): string | undefined {
  return system !== undefined && /\S/.test(system) ? system : undefined;
}

const NO_PLACE = '--system needs a model with a chat template, without --raw';

/** Throws invalid_argument for what cannot go together, before a model is loaded. */
export function refuseSystem(flags: GenerateFlags): void {
  if (flags.raw && systemOf(flags) !== undefined)
    throw new CachalotError('invalid_argument', NO_PLACE);
}

/** Whether prompts are messages for the model's chat template, or text to continue. Throws invalid_argument. */
export function isChat(engine: Engine, flags: GenerateFlags): boolean {
  const chat = engine.canChat && !flags.raw;
  if (!chat && systemOf(flags) !== undefined) throw new CachalotError('invalid_argument', NO_PLACE);
  return chat;
}

/** What says how to draw says nothing where nothing is drawn. */
const DRAWING = ['topK', 'topP', 'minP', 'typicalP'] as const;

export function warnOfIdle(flags: GenerateFlags): void {
  if ((flags.temperature ?? 0) > 0) return;
  const idle = DRAWING.filter((name) => flags[name] !== undefined).map((name) => flagOf(name));
  if (idle.length > 0)
    process.stderr.write(
      `${idle.join(', ')}: without effect, as the likeliest token is always taken; give --temperature\n`,
    );
}
