/** Sampling options as flags, from one list. */
import type { Command } from 'commander';

import { dryChecks, samplingChecks } from '../options/sampling-options.js';
import type { SamplingOptions } from '../options/sampling-options.js';
import { numberBy } from './flag-values.js';

type Name = Exclude<keyof SamplingOptions, 'dry' | 'logitBias' | 'topLogprobs'>;

const FLAGS: [Name, string, string][] = [
  ['temperature', '<t>', 'how freely to draw; 0 takes the likeliest token (default: 0)'],
  ['topK', '<k>', 'draw among so many of the likeliest tokens'],
  ['topP', '<p>', 'draw among the likeliest tokens of this probability together'],
  ['minP', '<p>', "leave out tokens below this share of the likeliest one's probability"],
  ['typicalP', '<p>', 'draw among tokens of usual surprise of this probability together'],
  ['repetitionPenalty', '<x>', 'divide the logits of tokens that were there before'],
  ['frequencyPenalty', '<x>', 'take off for each time a token is in the answer'],
  ['presencePenalty', '<x>', 'take off if a token is in the answer'],
  ['penaltyWindow', '<n>', 'how many of the last tokens the penalties look at'],
  ['seed', '<n>', 'makes draws repeatable'],
];

const DRY_FLAG = 'dryMultiplier';

export type SamplingFlags = Partial<Record<Name | typeof DRY_FLAG, number>>;

/** As it is written on the command line. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function addSamplingFlags(command: Command): Command {
  for (const [name, value, text] of FLAGS)
    command.option(`${flagOf(name)} ${value}`, text, numberBy(samplingChecks[name]!));
  return command.option(
    `${flagOf(DRY_FLAG)} <x>`,
    'strength of the penalty for what lengthens a repetition (DRY)',
    numberBy(dryChecks['multiplier']!),
  );
}

export function samplingOptions(flags: SamplingFlags): SamplingOptions {
  const given = FLAGS.flatMap(([name]) => (flags[name] === undefined ? [] : [[name, flags[name]]]));
  const dry = flags.dryMultiplier === undefined ? {} : { dry: { multiplier: flags.dryMultiplier } };
  return { ...(Object.fromEntries(given) as SamplingOptions), ...dry };
}
