/** Flags of every command that generates. */
import type { Command } from 'commander';

import type { Engine } from '../engine.js';
import { CachalotError } from '../errors.js';
import type { GenerateOptions } from '../generate-options.js';
import { collect, integer } from './output.js';
import { addSamplingFlags, samplingOptions } from './sampling-flags.js';
import type { SamplingFlags } from './sampling-flags.js';

export interface GenerateFlags extends SamplingFlags {
  maxTokens?: number;
  system?: string;
  stop?: string[];
  raw?: boolean;
}

export function addGenerateFlags(command: Command): Command {
  return addSamplingFlags(command)
    .option('-n, --max-tokens <n>', 'most tokens of an answer', integer(1))
    .option('--system <text>', 'what the model is told first')
    .option('--stop <text>', 'text that ends an answer; may be given several times', collect);
}

export function generateOptions(flags: GenerateFlags): GenerateOptions {
  return {
    ...(flags.maxTokens === undefined ? {} : { maxTokens: flags.maxTokens }),
    ...(flags.stop === undefined ? {} : { stop: flags.stop }),
    ...samplingOptions(flags),
  };
}

/** Whether prompts are messages for the model's chat template, or text to continue. Throws invalid_argument. */
export function isChat(engine: Engine, { raw, system }: GenerateFlags): boolean {
  const chat = engine.canChat && !raw;
  if (!chat && system !== undefined)
    throw new CachalotError(
      'invalid_argument',
      '--system needs a model with a chat template, without --raw',
    );
  return chat;
}
