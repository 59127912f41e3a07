/** Sampling options as flags, from one list. */
import type { Command } from 'commander';

import type { SamplingOptions } from '../sampling-options.js';
import { decimal, integer, signed } from './output.js';

type Name = Exclude<keyof SamplingOptions, 'dry' | 'logitBias' | 'topLogprobs'>;

const FLAGS: [Name, string, string, (text: string) => number][] = [
  ['temperature', '<t>', 'how freely to draw; 0 takes the likeliest token (default: 0)', decimal],
  ['topK', '<k>', 'draw among so many of the likeliest tokens', integer(0)],
  ['topP', '<p>', 'draw among the likeliest tokens of this probability together', decimal],
  ['minP', '<p>', "leave out tokens below this share of the likeliest one's probability", decimal],
  ['typicalP', '<p>', 'draw among tokens of usual surprise of this probability together', decimal],
  ['repetitionPenalty', '<x>', 'divide the logits of tokens that were there before', decimal],
  ['frequencyPenalty', '<x>', 'take off for each time a token is in the answer', signed],
  ['presencePenalty', '<x>', 'take off if a token is in the answer', signed],
  ['penaltyWindow', '<n>', 'how many of the last tokens the penalties look at', integer(0)],
  ['seed', '<n>', 'makes draws repeatable', integer(0)],
];

const DRY_FLAG = 'dryMultiplier';

export type SamplingFlags = Partial<Record<Name | typeof DRY_FLAG, number>>;

const dashed = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export function addSamplingFlags(command: Command): Command {
  for (const [name, value, text, parse] of FLAGS)
    command.option(`--${dashed(name)} ${value}`, text, parse);
  return command.option(
    `--${dashed(DRY_FLAG)} <x>`,
    'strength of the penalty for what lengthens a repetition (DRY)',
    decimal,
  );
}

export function samplingOptions(flags: SamplingFlags): SamplingOptions {
  const given = FLAGS.flatMap(([name]) => (flags[name] === undefined ? [] : [[name, flags[name]]]));
  const dry = flags.dryMultiplier === undefined ? {} : { dry: { multiplier: flags.dryMultiplier } };
  return { ...(Object.fromEntries(given) as SamplingOptions), ...dry };
}
