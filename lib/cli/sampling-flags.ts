/** Sampling options as flags, from the rows of their tables that have a flag. */
import type { Command } from 'commander';

import type { OptionRow } from '../options/option-table.js';
import { DRY, SAMPLING } from '../options/sampling-options.js';
import type { SamplingOptions } from '../options/sampling-options.js';
import { numberBy } from './flag-values.js';

type RowsWithFlags<Table> = {
  [Name in keyof Table]: Table[Name] extends { readonly flag: object } ? Name : never;
}[keyof Table];

type Name = RowsWithFlags<typeof SAMPLING>;

const DRY_FLAG = DRY.multiplier.native;

export type SamplingFlags = Partial<Record<Name | typeof DRY_FLAG, number>>;

/** As it is written on the command line. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function addSamplingFlags(command: Command): Command {
  for (const [name, row] of Object.entries<OptionRow>({ ...SAMPLING, [DRY_FLAG]: DRY.multiplier }))
    if (row.flag)
      command.option(`${flagOf(name)} ${row.flag.value}`, row.flag.help, numberBy(row.check));
  return command;
}

export function samplingOptions(flags: SamplingFlags): SamplingOptions {
  const given = Object.keys(SAMPLING).flatMap((name) => {
    const value = flags[name as Name];
    return value === undefined ? [] : [[name, value]];
  });
  const dry = flags.dryMultiplier === undefined ? {} : { dry: { multiplier: flags.dryMultiplier } };
  return { ...(Object.fromEntries(given) as SamplingOptions), ...dry };
}
